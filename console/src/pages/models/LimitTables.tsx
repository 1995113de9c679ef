import { Link } from "react-router";
import type { MediaLimits, Model } from "@/api/models";
import { useTexts } from "@/i18n";
import { bytes, count } from "@/lib/numbers";
import { moment } from "@/lib/time";
import { useNames } from "@/pages/models/names";
import { paths } from "@/paths";
import { Facts } from "@/ui/Facts";
import { type Column, Table } from "@/ui/Table";

/** What bounds a request, and by which names the model goes. */
export function Limits({ model }: { model: Model }) {
  const t = useTexts("models");
  const tokens = (value: number | undefined) => (value === undefined ? null : t("tokens", { count: count(value) }));
  const { chat, video } = model;
  const refused = [...(chat?.refused_fields ?? []), ...(chat?.refused_tools ?? [])];
  return (
    <Facts
      items={[
        [t("modelName"), <Mono key="model">{model.model}</Mono>],
        [t("llmid"), <Mono key="llmid">{model.llmid}</Mono>],
        [t("otherNames"), model.aliases.join(", ")],
        [t("choicesOfModel"), video && video.models.length > 1 ? video.models.join(", ") : null],
        [t("context"), tokens(chat?.context_tokens)],
        [t("outputMax"), tokens(chat?.output_tokens_max)],
        [t("choices"), chat && count(chat.choices_max)],
        [t("notOffered"), refused.join(", ")],
        [t("underWayMax"), video && t("underWay", { count: count(video.under_way_max) })],
        [t("rateLimits"), <KeyLimits key="rates" />],
        [t("soldUntil"), model.enabled_until && moment(model.enabled_until)],
      ]}
    />
  );
}

/** The platform has none of its own; each key has those that its customer gives it. */
function KeyLimits() {
  const t = useTexts("models");
  return (
    <>
      {t("rateLimitsOfKeys")}{" "}
      <Link to={paths.keys()} className="whitespace-nowrap text-accent-ink underline">
        {t("toKeys")}
      </Link>
    </>
  );
}

function Mono({ children }: { children: string }) {
  return <code className="font-mono text-[0.8125rem] break-all">{children}</code>;
}

/** What files the model takes. */
export function Files({ media, oneOf }: { media: readonly MediaLimits[]; oneOf: readonly string[] }) {
  const t = useTexts("models");
  const names = useNames();

  function bounds(rule: MediaLimits): string {
    const parts: string[] = [];
    if (rule.side_min !== null || rule.side_max !== null)
      parts.push(t("sides", { min: rule.side_min ?? 1, max: rule.side_max ?? "∞" }));
    if (rule.aspect_min !== null || rule.aspect_max !== null)
      parts.push(t("aspects", { min: rule.aspect_min ?? "0", max: rule.aspect_max ?? "∞" }));
    if (rule.seconds_max !== null) parts.push(t("seconds", { min: rule.seconds_min ?? "0", max: rule.seconds_max }));
    if (rule.seconds_total_max !== null) parts.push(t("secondsTotal", { max: rule.seconds_total_max }));
    return parts.join(" · ") || "—";
  }

  const columns: Column<MediaLimits>[] = [
    { key: "field", head: t("field"), isName: true, cell: (rule) => <code className="font-mono text-[0.8125rem] whitespace-nowrap">{rule.field}</code> },
    {
      key: "use",
      head: t("use"),
      cell: (rule) => (
        <>
          {names.role(rule.role)}
          {rule.takes_assets && <span className="block text-xs text-faint">{t("assets")}</span>}
        </>
      ),
    },
    { key: "required", head: t("required"), cell: (rule) => (rule.is_required ? "✓" : "—") },
    { key: "count", head: t("filesCount"), cell: (rule) => t("countUpTo", { count: String(rule.count_max) }) },
    { key: "formats", head: t("formats"), cell: (rule) => rule.media_types.map((one) => one.split("/")[1]).join(", ") },
    { key: "size", head: t("sizeMax"), cell: (rule) => bytes(rule.size_bytes_max), isFigure: true },
    { key: "bounds", head: t("dimensions"), cell: (rule) => <span className="block min-w-48">{bounds(rule)}</span> },
  ];
  return (
    <>
      <p className="mb-3 text-sm text-muted">
        {t("filesLead")} {oneOf.length > 0 && t("neededOne", { names: oneOf.join(", ") })}
      </p>
      <Table label={t("files")} columns={columns} rows={media} rowKey={(rule) => rule.field} />
    </>
  );
}

interface Size {
  resolution: string;
  sizes: Readonly<Record<string, string>>;
}

/** How many pixels a resolution and a ratio are. */
export function Sizes({ sizes }: { sizes: Readonly<Record<string, Readonly<Record<string, string>>>> }) {
  const t = useTexts("models");
  const rows = Object.entries(sizes).map(([resolution, row]): Size => ({ resolution, sizes: row }));
  const ratios = [...new Set(rows.flatMap((row) => Object.keys(row.sizes)))];
  const columns: Column<Size>[] = [
    { key: "resolution", head: t("resolution"), isName: true, cell: (row) => row.resolution },
    ...ratios.map((ratio): Column<Size> => ({ key: ratio, head: ratio, isFigure: true, cell: (row) => row.sizes[ratio] ?? "—" })),
  ];
  return <Table label={t("sizes")} columns={columns} rows={rows} rowKey={(row) => row.resolution} />;
}
