import type { ModelPrice } from "@/api/models";
import { useTexts } from "@/i18n";
import { yuan } from "@/lib/money";
import { count } from "@/lib/numbers";
import { moment } from "@/lib/time";
import { useUnit } from "@/pages/models/units";
import { type Column, Table } from "@/ui/Table";

type Tier = ModelPrice["tiers"][number];
type Rate = ModelPrice["rates"][number];

/** Every rate of a price and when it applies. */
export function PriceTable({ price }: { price: ModelPrice }) {
  const t = useTexts("models");
  const day = moment(price.effective_from);
  const isChat = price.tiers.length > 0;
  return (
    <>
      <p className="mb-3 text-sm text-muted">{t(isChat ? "priceChatLead" : "priceLead", { day })}</p>
      {isChat ? <Tiers tiers={price.tiers} /> : <Rates rates={price.rates} />}
    </>
  );
}

function Tiers({ tiers }: { tiers: readonly Tier[] }) {
  const t = useTexts("models");

  function length({ input_above, input_up_to }: Tier): string {
    if (input_up_to === null) return input_above === 0 ? t("anyLength") : t("above", { count: count(input_above) });
    if (input_above === 0) return t("upTo", { count: count(input_up_to) });
    return t("between", { above: count(input_above), upTo: count(input_up_to) });
  }

  const columns: Column<Tier>[] = [
    { key: "length", head: t("inputLength"), cell: length, isName: true },
    { key: "input", head: t("input"), cell: (tier) => yuan(tier.input), isFigure: true },
    { key: "read", head: t("cacheRead"), cell: (tier) => yuan(tier.cache_read), isFigure: true },
    { key: "write", head: t("cacheWrite"), cell: (tier) => yuan(tier.cache_write), isFigure: true },
    { key: "output", head: t("output"), cell: (tier) => yuan(tier.output), isFigure: true },
  ];
  return <Table label={t("price")} columns={columns} rows={tiers} rowKey={(tier) => String(tier.input_above)} />;
}

function Rates({ rates }: { rates: readonly Rate[] }) {
  const t = useTexts("models");
  const unit = useUnit();

  function conditions(rate: Rate): string {
    const words = [
      rate.model,
      rate.resolution,
      rate.audio === null ? null : t(rate.audio ? "withSound" : "withoutSound"),
      rate.off_peak === null ? null : t(rate.off_peak ? "offPeak" : "normalHours"),
      rate.video_input === null ? null : t(rate.video_input ? "withClips" : "withoutClips"),
    ].filter((word) => word !== null);
    return words.join(" · ") || t(rates.length > 1 ? "always" : "everything");
  }

  const columns: Column<Rate>[] = [
    { key: "conditions", head: t("conditions"), cell: conditions, isName: true },
    { key: "rate", head: t("rate"), cell: (rate) => yuan(rate.rate), isFigure: true },
    { key: "unit", head: t("unit"), cell: (rate) => t("per", { unit: unit(rate.meter, rate.per) }) },
  ];
  return (
    <>
      <Table label={t("price")} columns={columns} rows={rates} rowKey={(rate) => `${rate.meter} ${conditions(rate)}`} />
      {rates.length > 1 && <p className="mt-2 text-sm text-muted">{t("rateOrder")}</p>}
    </>
  );
}
