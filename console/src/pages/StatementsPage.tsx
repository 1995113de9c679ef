import { Link } from "react-router";
import { type Month, statementFile, useMonths } from "@/api/finance";
import { useTexts } from "@/i18n";
import { yuan } from "@/lib/money";
import { month } from "@/lib/time";
import { BookChoice, useBook } from "@/pages/finance/BookChoice";
import { FinanceHead } from "@/pages/finance/FinanceHead";
import { paths } from "@/paths";
import { Badge, Empty } from "@/ui/Card";
import { DownloadLink } from "@/ui/DownloadLink";
import { Loaded } from "@/ui/Loaded";
import { More } from "@/ui/More";
import { type Column, Table, TableSkeleton } from "@/ui/Table";

/** The months of a book. */
export function Page() {
  const t = useTexts("finance");
  const book = useBook();
  const months = useMonths(book);
  const rows = months.data?.pages.flatMap((page) => page.data) ?? [];
  const columns: Column<Month>[] = [
    {
      key: "month",
      head: t("month"),
      isName: true,
      cell: (one) => (
        <Link to={`${paths.statement(one.month)}${book === "live" ? "" : `?book=${book}`}`} className="font-medium whitespace-nowrap text-accent-ink underline">
          {month(one.month)}
        </Link>
      ),
    },
    { key: "opening", head: t("opening"), isFigure: true, cell: (one) => yuan(one.opening) },
    { key: "closing", head: t("closing"), isFigure: true, cell: (one) => yuan(one.closing) },
    {
      key: "state",
      head: t("state"),
      cell: (one) => (
        <span className="whitespace-nowrap">
          <Badge tone={one.is_final ? "good" : "plain"}>{one.is_final ? t("isFinal") : t("soFar")}</Badge>
        </span>
      ),
    },
    {
      key: "file",
      head: <span className="sr-only">{t("csv")}</span>,
      cell: (one) => (
        <DownloadLink href={statementFile(one.month, book)} aria-label={`${t("csv")} ${month(one.month)}`} className="rounded-control px-2 py-1 text-muted underline hover:text-ink">
          CSV
        </DownloadLink>
      ),
    },
  ];
  return (
    <>
      <FinanceHead title={t("statements")} lead={t("statementsLead")} actions={<BookChoice />} />
      <Loaded of={months} skeleton={<TableSkeleton />}>
        {() =>
          rows.length === 0 ? (
            <Empty title={t("statementsNone")}>{t("statementsNoneHint")}</Empty>
          ) : (
            <Table label={t("statements")} columns={columns} rows={rows} rowKey={(one) => one.month} />
          )
        }
      </Loaded>
      <More of={months} />
    </>
  );
}
