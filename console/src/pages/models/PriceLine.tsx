import type { ModelPrice } from "@/api/models";
import { useLanguage, useTexts } from "@/i18n";
import { yuan } from "@/lib/money";
import { inBrief } from "@/pages/models/prices";
import { useUnit } from "@/pages/models/units";

/** A price in one line: the lowest rates. */
export function PriceLine({ price }: { price: ModelPrice }) {
  const t = useTexts("models");
  const language = useLanguage();
  const unit = useUnit();
  const { input, output, rate, meter, per, isFrom } = inBrief(price);
  const amounts: [string, string][] = [];
  if (input !== undefined) amounts.push([t("input"), yuan(input)]);
  if (output !== undefined) amounts.push([t("output"), yuan(output)]);
  if (rate !== undefined) amounts.push(["", yuan(rate)]);
  return (
    <p className="flex flex-wrap items-baseline gap-x-3 text-sm text-muted">
      {amounts.map(([name, amount]) => (
        <span key={name}>
          {name} {isFrom && language === "en" && t("from")} <span className="font-semibold text-ink tabular-nums">{amount}</span>{" "}
          {isFrom && language === "zh" && t("from")}
        </span>
      ))}
      <span>{t("per", { unit: meter && per ? unit(meter, per) : t("million_tokens") })}</span>
    </p>
  );
}
