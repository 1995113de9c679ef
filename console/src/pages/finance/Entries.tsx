import { type Account, type Entry, type Statement, useEntries } from "@/api/finance";
import { useTexts } from "@/i18n";
import { useFilters } from "@/lib/filters";
import { yuan } from "@/lib/money";
import { Empty } from "@/ui/Card";
import { Loaded } from "@/ui/Loaded";
import { Moment } from "@/ui/Moment";
import { More } from "@/ui/More";
import { Segments } from "@/ui/Segments";
import { type Column, Table, TableSkeleton } from "@/ui/Table";

const ACCOUNTS: readonly Account[] = ["available", "held", "promotion"];

/** Every entry of one account in the month, with its balance before and after. */
export function Entries({ of: statement }: { of: Statement }) {
  const t = useTexts("finance");
  const filters = useFilters();
  const account = filters.pick("account", ACCOUNTS) ?? "available";
  const entries = useEntries(statement.book, account, statement.begins_at, statement.ends_at);
  const rows = entries.data?.pages.flatMap((page) => page.data) ?? [];
  const columns: Column<Entry>[] = [
    { key: "number", head: "#", isFigure: true, isName: true, cell: (one) => one.number },
    { key: "time", head: t("time"), cell: (one) => <Moment at={one.at} /> },
    { key: "reason", head: t("reason"), cell: (one) => <span className="whitespace-nowrap">{t(one.reason)}</span> },
    { key: "amount", head: t("sum"), isFigure: true, cell: (one) => yuan(one.amount, { sign: true }) },
    { key: "before", head: t("before"), isFigure: true, cell: (one) => yuan(one.balance_before) },
    { key: "after", head: t("after"), isFigure: true, cell: (one) => yuan(one.balance_after) },
    { key: "reference", head: t("reference"), cell: (one) => <code className="text-xs break-all text-muted">{one.reference}</code> },
  ];
  return (
    <section>
      <div className="mb-3 flex flex-wrap items-center justify-between gap-3">
        <h2>{t("entries")}</h2>
        <Segments
          label={t("accounts")}
          value={account}
          options={ACCOUNTS.map((one) => [one, t(one)] as const)}
          onChange={(one) => filters.change({ account: one === "available" ? null : one })}
        />
      </div>
      <Loaded of={entries} skeleton={<TableSkeleton />}>
        {() =>
          rows.length === 0 ? (
            <Empty title={t("entriesNone")} />
          ) : (
            <Table label={t("entries")} columns={columns} rows={rows} rowKey={(one) => String(one.number)} />
          )
        }
      </Loaded>
      <More of={entries} />
    </section>
  );
}
