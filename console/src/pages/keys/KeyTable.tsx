import { Link } from "react-router";
import type { Key } from "@/api/keys";
import { useTexts } from "@/i18n";
import { useWords } from "@/i18n/words";
import { nanos, yuan } from "@/lib/money";
import { count } from "@/lib/numbers";
import { ago, exactMoment, moment } from "@/lib/time";
import { paths } from "@/paths";
import { Button } from "@/ui/Button";
import { Badge } from "@/ui/Card";
import { Bar } from "@/ui/Facts";
import { type Column, Table } from "@/ui/Table";

interface KeyTableProps {
  rows: readonly Key[];
  markedId: string | undefined;
  onChange: (key: Key) => void;
  onRevoke: (key: Key) => void;
}

const TONES = { active: "good", expired: "warn", revoked: "plain" } as const;

export function KeyTable({ rows, markedId, onChange, onRevoke }: KeyTableProps) {
  const t = useTexts("keys");
  const word = useWords();
  const nameOf = (key: Key): string => key.name || t("unnamed");
  const columns: Column<Key>[] = [
    {
      key: "name",
      head: t("name"),
      isName: true,
      cell: (key) => (
        <div className="min-w-36">
          <p className="max-w-72 font-medium break-words">{nameOf(key)}</p>
          <code className="text-xs whitespace-nowrap text-muted">{key.prefix}…</code>
        </div>
      ),
    },
    {
      key: "state",
      head: t("state"),
      cell: (key) => (
        <div className="flex gap-1 whitespace-nowrap">
          <Badge tone={key.book === "live" ? "accent" : "plain"}>{word(key.book)}</Badge>
          <Badge tone={TONES[key.state]}>{word(key.state)}</Badge>
        </div>
      ),
    },
    { key: "used", head: t("lastUse"), cell: (key) => <LastUse at={key.last_used_at} /> },
    {
      key: "spent",
      head: `${t("spent")} · ${t("spentMonth")}`,
      isFigure: true,
      cell: (key) => (
        <>
          <p>{yuan(key.spent_this_month)}</p>
          <p className="text-xs text-muted">{t("spentTotal", { amount: yuan(key.spent_total) })}</p>
        </>
      ),
    },
    { key: "limits", head: t("limits"), cell: (key) => <Limits of={key} /> },
    {
      key: "actions",
      head: <span className="sr-only">{t("change")}</span>,
      cell: (key) => (
        <div className="flex flex-wrap justify-end gap-x-1 whitespace-nowrap">
          <Link to={`${paths.usage()}?book=${key.book}&key=${key.id}`} className="rounded-control px-3 py-2 text-muted hover:bg-sunken hover:text-ink">
            {t("usage")}
          </Link>
          {key.state !== "revoked" && (
            <>
              <Button tone="quiet" aria-label={t("changeOf", { name: nameOf(key) })} onClick={() => onChange(key)}>
                {t("change")}
              </Button>
              <Button tone="quiet" className="text-bad!" aria-label={t("revokeOf", { name: nameOf(key) })} onClick={() => onRevoke(key)}>
                {t("revoke")}
              </Button>
            </>
          )}
        </div>
      ),
    },
  ];
  return <Table label={t("title")} columns={columns} rows={rows} rowKey={(key) => key.id} isMarked={(key) => key.id === markedId} isBroad />;
}

function LastUse({ at }: { at: string | null }) {
  const t = useTexts("keys");
  if (at === null) return <span className="text-muted">{t("never")}</span>;
  return (
    <time dateTime={at} title={exactMoment(at)} className="whitespace-nowrap">
      {ago(at)}
    </time>
  );
}

function Limits({ of: key }: { of: Key }) {
  const t = useTexts("keys");
  const parts = [
    key.requests_per_minute !== null && t("limitRequests", { n: count(key.requests_per_minute) }),
    key.tokens_per_minute !== null && t("limitTokens", { n: count(key.tokens_per_minute) }),
    key.concurrency !== null && t("limitConcurrency", { n: count(key.concurrency) }),
    key.models.length > 0 && t("limitModels", { n: count(key.models.length) }),
    key.networks.length > 0 && t("limitNetworks", { n: count(key.networks.length) }),
    key.expires_at !== null && t("limitExpires", { when: moment(key.expires_at) }),
  ].filter((part) => part !== false);
  if (parts.length === 0 && key.budget === null) return <span className="text-muted">{t("noLimits")}</span>;
  return (
    <div className="flex min-w-40 flex-col gap-1.5">
      {key.budget !== null && <Budget budget={key.budget} spent={key.budget_spent ?? "0"} held={key.budget_held ?? "0"} />}
      {parts.length > 0 && <p className="text-xs text-muted">{parts.join(" · ")}</p>}
    </div>
  );
}

/** Whole percent, by whole nano-yuan. */
function percentOf(part: bigint, whole: bigint): number {
  return whole <= 0n ? 100 : Number((part * 100n) / whole);
}

function Budget({ budget, spent, held }: { budget: string; spent: string; held: string }) {
  const t = useTexts("keys");
  const percent = percentOf(nanos(spent) + nanos(held), nanos(budget));
  const text = t("ofBudget", { spent: yuan(spent), budget: yuan(budget) });
  return (
    <div>
      <p className="mb-1 text-xs whitespace-nowrap tabular-nums">
        {text}
        {nanos(held) > 0n && <span className="text-muted"> · {t("heldOfBudget", { held: yuan(held) })}</span>}
      </p>
      <Bar label={text} percent={percent} tone={percent >= 90 ? "warn" : "accent"} />
    </div>
  );
}
