import { Link } from "react-router";
import { type TopUp, useTopUps } from "@/api/topups";
import { useTexts } from "@/i18n";
import { nanos, yuan } from "@/lib/money";
import { FinanceHead } from "@/pages/finance/FinanceHead";
import { StateBadge, useMethodName } from "@/pages/finance/names";
import { paths } from "@/paths";
import { ButtonLink } from "@/ui/Button";
import { Empty } from "@/ui/Card";
import { Loaded } from "@/ui/Loaded";
import { Moment } from "@/ui/Moment";
import { More } from "@/ui/More";
import { type Column, Table, TableSkeleton } from "@/ui/Table";

/** Every top-up and how it stands. */
export function Page() {
  const t = useTexts("finance");
  const nameOf = useMethodName();
  const topups = useTopUps();
  const rows = topups.data?.pages.flatMap((page) => page.data) ?? [];
  const columns: Column<TopUp>[] = [
    {
      key: "number",
      head: t("orderNumber"),
      isName: true,
      cell: (one) => (
        <Link to={paths.order(one.id)} className="font-mono text-accent-ink underline">
          {one.number}
        </Link>
      ),
    },
    {
      key: "amount",
      head: t("sum"),
      isFigure: true,
      cell: (one) => (
        <>
          {yuan(one.amount)}
          {nanos(one.refunded) > 0n && <p className="text-xs text-muted">{`${t("refunded")} ${yuan(one.refunded)}`}</p>}
        </>
      ),
    },
    { key: "state", head: t("state"), cell: (one) => <span className="whitespace-nowrap"><StateBadge state={one.state} /></span> },
    { key: "method", head: t("method"), cell: (one) => <span className="whitespace-nowrap">{nameOf(one.method)}</span> },
    { key: "created", head: t("createdAt"), cell: (one) => <Moment at={one.created_at} isRough /> },
  ];
  return (
    <>
      <FinanceHead title={t("orders")} lead={t("ordersLead")} />
      <Loaded of={topups} skeleton={<TableSkeleton />}>
        {() =>
          rows.length === 0 ? (
            <Empty title={t("ordersNone")}>
              <ButtonLink to={paths.finance()}>{t("topUp")}</ButtonLink>
            </Empty>
          ) : (
            <Table label={t("orders")} columns={columns} rows={rows} rowKey={(one) => one.id} />
          )
        }
      </Loaded>
      <More of={topups} />
    </>
  );
}
