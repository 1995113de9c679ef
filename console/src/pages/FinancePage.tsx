import { useTexts } from "@/i18n";
import { BalanceCards } from "@/pages/finance/BalanceCards";
import { FinanceHead } from "@/pages/finance/FinanceHead";
import { Lots } from "@/pages/finance/Lots";
import { RedeemCard } from "@/pages/finance/RedeemCard";
import { TopUpCard } from "@/pages/finance/TopUpForm";

/** What is owned, and how it becomes more. */
export function Page() {
  const t = useTexts("finance");
  return (
    <>
      <FinanceHead title={t("title")} lead={t("lead")} />
      <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,5fr)_minmax(0,3fr)] lg:grid-rows-[auto_1fr]">
        <BalanceCards />
        <div className="flex min-w-0 flex-col gap-6 lg:col-start-2 lg:row-span-2 lg:row-start-1">
          <TopUpCard />
          <RedeemCard />
        </div>
        <Lots />
      </div>
    </>
  );
}
