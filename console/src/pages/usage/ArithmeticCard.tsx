import type { Arithmetic } from "@/api/usage";
import { useTexts } from "@/i18n";
import { useWords } from "@/i18n/words";
import { exactYuan, nanos, yuan } from "@/lib/money";
import { count } from "@/lib/numbers";
import { moment } from "@/lib/time";
import { digits, exactSum, isConsistent } from "@/pages/usage/exact";
import { Badge, Card } from "@/ui/Card";

const cellClass = "border-b border-line/70 px-3 py-2.5 text-left font-normal";
const figureClass = "border-b border-line/70 px-3 py-2.5 text-right whitespace-nowrap tabular-nums";

/** How a charge came about, line by line, and computed again here. */
export function ArithmeticCard({ of: arithmetic, uncollected = "0" }: { of: Arithmetic; uncollected?: string }) {
  const t = useTexts("usage");
  const word = useWords();
  const isSame = isConsistent(arithmetic);
  const { price } = arithmetic;
  return (
    <Card className="min-w-0">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2>{t("arithmetic")}</h2>
        <Badge tone={isSame ? "good" : "bad"}>{isSame ? `✓ ${t("checked")}` : t("notChecked")}</Badge>
      </div>
      <p className="mt-1 text-sm text-muted">{t("arithmeticLead")}</p>
      <div className="mt-4 overflow-x-auto" role="region" aria-label={t("arithmetic")} tabIndex={0}>
        <table className="w-full border-separate border-spacing-0 text-sm">
          <thead className="text-muted">
            <tr>
              <th scope="col" className={`${cellClass} font-medium`}>
                {t("meter")}
              </th>
              <th scope="col" className={`${figureClass} font-medium max-sm:hidden`}>
                {t("quantity")}
              </th>
              <th scope="col" className={`${figureClass} font-medium max-sm:hidden`}>
                {t("rate")}
              </th>
              <th scope="col" className={`${figureClass} font-medium`}>
                {t("amount")}
              </th>
            </tr>
          </thead>
          <tbody>
            {arithmetic.lines.map((line) => {
              const rate = line.per === 1 ? yuan(line.rate) : t("perUnits", { rate: yuan(line.rate), per: count(line.per) });
              return (
                <tr key={`${line.meter} ${line.rate}`}>
                  <th scope="row" className={cellClass}>
                    {word(line.meter)}
                    <span className="block text-xs text-muted sm:hidden">
                      {count(line.quantity)} × {rate}
                    </span>
                  </th>
                  <td className={`${figureClass} max-sm:hidden`}>{count(line.quantity)}</td>
                  <td className={`${figureClass} max-sm:hidden`}>× {rate}</td>
                  <td className={figureClass}>= {exactYuan(line.amount)}</td>
                </tr>
              );
            })}
          </tbody>
          <tfoot>
            <Sum label={t("exactSum")}>{exactYuan(digits(exactSum(arithmetic.lines)))}</Sum>
            <Sum label={t("rounded")}>{yuan(arithmetic.total)}</Sum>
            <Sum label={t("ceiling")}>{yuan(arithmetic.ceiling)}</Sum>
            {nanos(arithmetic.overrun) > 0n && <Sum label={t("overrun")}>{yuan(arithmetic.overrun)}</Sum>}
            {nanos(uncollected) > 0n && <Sum label={t("uncollected")}>{yuan(uncollected)}</Sum>}
            <Sum label={t("charged")} isStrong>
              <span data-testid="charge">{yuan(arithmetic.charge)}</span>
            </Sum>
          </tfoot>
        </table>
      </div>
      <p className="mt-4 text-sm text-muted">
        {t("priceVersion")}: {t("priceText", { version: price.version, id: price.id, from: moment(price.effective_from) })}
      </p>
      <Details of={arithmetic.details} />
    </Card>
  );
}

function Sum({ label, isStrong = false, children }: { label: string; isStrong?: boolean; children: React.ReactNode }) {
  const weight = isStrong ? "font-semibold text-ink" : "text-muted";
  return (
    <tr>
      <th scope="row" className={`px-3 py-1.5 text-left font-normal ${weight}`}>
        {label}
      </th>
      <td colSpan={2} className="max-sm:hidden" />
      <td className={`px-3 py-1.5 text-right whitespace-nowrap tabular-nums ${weight}`}>{children}</td>
    </tr>
  );
}

/** What the rates of a video depend on, in the words of the receipt. */
function Details({ of: details }: { of: Arithmetic["details"] }) {
  const t = useTexts("usage");
  const items = Object.entries(details).filter(([, value]) => value !== "");
  if (items.length === 0) return null;
  return (
    <details className="mt-3">
      <summary className="cursor-pointer text-sm text-muted hover:text-ink">{t("details")}</summary>
      <dl className="mt-2 grid grid-cols-[auto_1fr] gap-x-6 gap-y-1 text-sm">
        {items.map(([name, value]) => (
          <div key={name} className="col-span-2 grid grid-cols-subgrid">
            <dt className="font-mono text-xs leading-5 text-muted">{name}</dt>
            <dd className="break-words">{value}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
