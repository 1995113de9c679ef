import { useState } from "react";
import { useParams } from "react-router";
import { isOpen, type TopUp, useTopUp } from "@/api/topups";
import { useTexts } from "@/i18n";
import { nanos, yuan } from "@/lib/money";
import { exactMoment } from "@/lib/time";
import { CloseDialog } from "@/pages/finance/CloseDialog";
import { FinanceHead } from "@/pages/finance/FinanceHead";
import { StateBadge, useMethodName } from "@/pages/finance/names";
import { PaymentSteps } from "@/pages/finance/PaymentSteps";
import { paths } from "@/paths";
import { Found } from "@/shell/Found";
import { Button, ButtonLink, Spinner } from "@/ui/Button";
import { Card, Skeleton } from "@/ui/Card";
import { Facts } from "@/ui/Facts";

/** One top-up: how to pay it, and how it stands, which changes by itself. */
export function Page() {
  const t = useTexts("finance");
  const topup = useTopUp(useParams()["id"] ?? "");
  return (
    <>
      <FinanceHead title={t("order")} actions={<ButtonLink to={paths.orders()}>{t("toOrders")}</ButtonLink>} />
      <Found query={topup} skeleton={<Skeleton className="h-72 w-full" />}>
        {(data) => <Order of={data} />}
      </Found>
    </>
  );
}

function Order({ of: topup }: { of: TopUp }) {
  const t = useTexts("finance");
  const nameOf = useMethodName();
  const [isClosing, setClosing] = useState(false);
  const time = (at: string | null) => at && exactMoment(at);
  return (
    <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
      <Card className="flex flex-col gap-5">
        <div className="flex flex-wrap items-center justify-between gap-3">
          <p className="text-3xl font-semibold tabular-nums">{yuan(topup.amount)}</p>
          <div role="status" data-testid="topup-state">
            <StateBadge state={topup.state} />
          </div>
        </div>
        <Outcome of={topup} />
      </Card>
      <Card className="flex flex-col gap-4">
        <Facts
          items={[
            [t("orderNumber"), <code key="number">{topup.number}</code>],
            [t("method"), nameOf(topup.method)],
            [t("createdAt"), time(topup.created_at)],
            [t("payUntil"), isOpen(topup) ? time(topup.expires_at) : null],
            [t("paidAt"), time(topup.paid_at)],
            [t("creditedAt"), time(topup.credited_at)],
            [t("closedAt"), time(topup.closed_at)],
            [t("refunded"), nanos(topup.refunded) > 0n ? yuan(topup.refunded) : null],
          ]}
        />
        {topup.state === "created" && (
          <div>
            <Button className="text-bad!" onClick={() => setClosing(true)}>
              {t("close")}
            </Button>
          </div>
        )}
      </Card>
      {isClosing && <CloseDialog id={topup.id} onClose={() => setClosing(false)} />}
    </div>
  );
}

function Outcome({ of: topup }: { of: TopUp }) {
  const t = useTexts("finance");
  if (topup.state === "credited")
    return (
      <>
        <p className="text-good">{t("creditedHint", { amount: yuan(topup.amount) })}</p>
        <div className="flex flex-wrap gap-2">
          <ButtonLink to={paths.finance()} tone="primary">
            {t("toFinance")}
          </ButtonLink>
          <ButtonLink to={paths.keys()}>{t("toKeys")}</ButtonLink>
        </div>
      </>
    );
  if (topup.state === "closed")
    return (
      <>
        <p className="text-muted">{t("closedHint")}</p>
        <div>
          <ButtonLink to={paths.finance()}>{t("toFinance")}</ButtonLink>
        </div>
      </>
    );
  return (
    <>
      {topup.state === "created" && <PaymentSteps id={topup.id} />}
      <p className="flex items-center gap-2 text-sm text-muted">
        <Spinner />
        {t("watching")}
      </p>
    </>
  );
}
