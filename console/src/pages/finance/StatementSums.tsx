import type { Statement, Sum } from "@/api/finance";
import { useTexts } from "@/i18n";
import { yuan } from "@/lib/money";
import { count } from "@/lib/numbers";
import { type Column, Table } from "@/ui/Table";

interface Row {
  key: string;
  name: string;
  /** Of the columns: all accounts together, then each. */
  amounts: readonly string[];
  isEdge?: boolean;
}

/** Opening, what moved for each reason, and closing: in all, and of each account. */
export function StatementSums({ of: statement }: { of: Statement }) {
  const t = useTexts("finance");
  const sides = [statement, ...statement.accounts];
  const heads = [t("total"), ...statement.accounts.map((one) => t(one.account))];
  const reasons = [...new Set(sides.flatMap((one) => one.sums.map((sum) => sum.reason)))];
  const amountOf = (sums: readonly Sum[], reason: string): string => sums.find((one) => one.reason === reason)?.amount ?? "0";
  const countOf = (reason: string): number => statement.sums.find((one) => one.reason === reason)?.entries ?? 0;
  const rows: Row[] = [
    { key: "opening", name: t("opening"), amounts: sides.map((one) => yuan(one.opening)), isEdge: true },
    ...reasons.map((reason) => ({
      key: reason,
      name: `${t(reason)}（${count(countOf(reason))}）`,
      amounts: sides.map((one) => yuan(amountOf(one.sums, reason), { sign: true })),
    })),
    { key: "closing", name: t("closing"), amounts: sides.map((one) => yuan(one.closing)), isEdge: true },
  ];
  const columns: Column<Row>[] = [
    {
      key: "name",
      head: t("reason"),
      isName: true,
      cell: (row) => <span className={`whitespace-nowrap ${row.isEdge ? "font-semibold" : ""}`}>{row.name}</span>,
    },
    ...heads.map((head, place) => ({
      key: String(place),
      head,
      isFigure: true,
      cell: (row: Row) => <span className={row.isEdge ? "font-semibold" : ""}>{row.amounts[place]}</span>,
    })),
  ];
  return (
    <section>
      <h2 className="mb-3">{t("byReason")}</h2>
      <Table label={t("byReason")} columns={columns} rows={rows} rowKey={(row) => row.key} />
    </section>
  );
}
