import type { Model, ModelPrice } from "@/api/models";
import { useLanguage, useTexts } from "@/i18n";
import { roundedUp, yuan } from "@/lib/money";
import { exampleOf, inBrief } from "@/pages/models/prices";
import { useUnit } from "@/pages/models/units";

/** About what a usual video costs, which can be compared whatever the price counts. */
export function ExampleLine({ model }: { model: Model }) {
  const t = useTexts("models");
  const example = exampleOf(model);
  if (example === undefined) return null;
  const video = [t("length", { seconds: example.seconds }), example.resolution].filter(Boolean).join(" ");
  return (
    <p className="text-sm text-muted">
      {video} ≈ <span className="text-base font-semibold text-ink tabular-nums">{roundedUp(example.amount)}</span>
    </p>
  );
}

/** Likewise of each resolution. */
export function ExampleList({ model }: { model: Model }) {
  const t = useTexts("models");
  const examples = model.video?.examples ?? [];
  if (examples.length === 0) return null;
  const seconds = examples[0]?.seconds ?? 0;
  const each = examples.map((one) => `${one.resolution} ≈ ${roundedUp(one.amount)}`.trim());
  return <p className="mb-3 text-sm">{t("examples", { seconds, amounts: each.join(" · ") })}</p>;
}

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
