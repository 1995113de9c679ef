import { useParams } from "react-router";
import { statementFile, useStatement } from "@/api/finance";
import { useTexts } from "@/i18n";
import { exactMoment, month as monthText } from "@/lib/time";
import { BookChoice, useBook } from "@/pages/finance/BookChoice";
import { Entries } from "@/pages/finance/Entries";
import { FinanceHead } from "@/pages/finance/FinanceHead";
import { StatementSums } from "@/pages/finance/StatementSums";
import { NotFoundPage } from "@/shell/ErrorPage";
import { Found } from "@/shell/Found";
import { Button } from "@/ui/Button";
import { Badge } from "@/ui/Card";
import { DownloadLink } from "@/ui/DownloadLink";
import { TableSkeleton } from "@/ui/Table";

/** A month of one book: what it began with, what moved it, and what it ended with. */
export function Page() {
  const month = useParams()["month"] ?? "";
  return /^\d{4}-(0[1-9]|1[0-2])$/.test(month) ? <StatementOf month={month} /> : <NotFoundPage />;
}

function StatementOf({ month }: { month: string }) {
  const t = useTexts("finance");
  const book = useBook();
  const statement = useStatement(month, book);
  const actions = (
    <div className="flex flex-wrap items-center gap-2 print:hidden">
      <BookChoice />
      {statement.data && (
        <>
          <Button onClick={() => print()}>{t("print")}</Button>
          <DownloadLink href={statementFile(month, book)}>{t("csv")}</DownloadLink>
        </>
      )}
    </div>
  );
  return (
    <>
      <FinanceHead
        title={t("statementOf", { month: monthText(month) })}
        lead={book === "live" ? t("liveBook") : t("testBook")}
        actions={actions}
      />
      <Found query={statement} skeleton={<TableSkeleton />}>
        {(data) => (
          <div className="flex flex-col gap-6">
            <p className="flex flex-wrap items-center gap-3 text-sm text-muted">
              <Badge tone={data.is_final ? "good" : "plain"}>{data.is_final ? t("isFinal") : t("soFar")}</Badge>
              {t("asOf", { time: exactMoment(data.as_of) })}
            </p>
            <StatementSums of={data} />
            <Entries of={data} />
          </div>
        )}
      </Found>
    </>
  );
}
