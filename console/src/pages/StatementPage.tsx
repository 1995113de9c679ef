import { useParams } from "react-router";
import { statementFile, useStatement } from "@/api/finance";
import { useTexts } from "@/i18n";
import { exactMoment, month as monthText } from "@/lib/time";
import { BookChoice, useBook } from "@/pages/finance/BookChoice";
import { Entries } from "@/pages/finance/Entries";
import { FinanceHead } from "@/pages/finance/FinanceHead";
import { StatementSums } from "@/pages/finance/StatementSums";
import { paths } from "@/paths";
import { Button, buttonClass, ButtonLink } from "@/ui/Button";
import { Badge } from "@/ui/Card";
import { Problem } from "@/ui/Problem";
import { TableSkeleton } from "@/ui/Table";

/** A month of one book: what it began with, what moved it, and what it ended with. */
export function Page() {
  const t = useTexts("finance");
  const month = useParams()["month"] ?? "";
  const book = useBook();
  const isMonth = /^\d{4}-(0[1-9]|1[0-2])$/.test(month);
  const statement = useStatement(month, book);
  const actions = (
    <div className="flex flex-wrap gap-2 print:hidden">
      <BookChoice />
      {statement.data && (
        <>
          <Button onClick={() => print()}>{t("print")}</Button>
          <a href={statementFile(month, book)} download className={buttonClass()}>
            {t("csv")}
          </a>
        </>
      )}
    </div>
  );
  return (
    <>
      <FinanceHead
        title={t("statementOf", { month: isMonth ? monthText(month) : month })}
        lead={book === "live" ? t("liveBook") : t("testBook")}
        actions={actions}
      />
      {statement.isPending ? (
        <TableSkeleton />
      ) : statement.isError ? (
        <Problem error={statement.error} onRetry={() => void statement.refetch()}>
          <div className="mt-3">
            <ButtonLink to={paths.statements()}>{t("toStatements")}</ButtonLink>
          </div>
        </Problem>
      ) : (
        <div className="flex flex-col gap-6">
          <p className="flex flex-wrap items-center gap-3 text-sm text-muted">
            <Badge tone={statement.data.is_final ? "good" : "plain"}>{statement.data.is_final ? t("isFinal") : t("soFar")}</Badge>
            {t("asOf", { time: exactMoment(statement.data.as_of) })}
          </p>
          <StatementSums of={statement.data} />
          <Entries of={statement.data} />
        </div>
      )}
    </>
  );
}
