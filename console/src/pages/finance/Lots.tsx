import { type Promotion, usePromotions } from "@/api/promotions";
import { useTexts } from "@/i18n";
import { useWords } from "@/i18n/words";
import { nanos, yuan } from "@/lib/money";
import { moment } from "@/lib/time";
import { Badge, Empty } from "@/ui/Card";
import { Loaded } from "@/ui/Loaded";
import { More } from "@/ui/More";
import { type Column, Table, TableSkeleton } from "@/ui/Table";

/** What was given, what is left of it, and until when. */
export function Lots() {
  const t = useTexts("finance");
  const word = useWords();
  const lots = usePromotions();
  const rows = lots.data?.pages.flatMap((page) => page.data) ?? [];
  const columns: Column<Promotion>[] = [
    { key: "given", head: t("givenAt"), isName: true, cell: (one) => <time dateTime={one.created_at} className="whitespace-nowrap">{moment(one.created_at)}</time> },
    { key: "book", head: t("book"), cell: (one) => <Badge tone={one.book === "live" ? "accent" : "plain"}>{word(one.book)}</Badge> },
    { key: "amount", head: t("given"), isFigure: true, cell: (one) => yuan(one.amount) },
    {
      key: "left",
      head: t("left"),
      isFigure: true,
      cell: (one) => (
        <>
          <span className={nanos(one.left) > 0n ? "font-medium" : "text-muted"}>{yuan(one.left)}</span>
          {nanos(one.expired) > 0n && <p className="text-xs text-muted">{t("expiredOf", { amount: yuan(one.expired) })}</p>}
        </>
      ),
    },
    {
      key: "expires",
      head: t("expires"),
      cell: (one) =>
        one.expires_at === null ? (
          <span className="text-muted">{t("never")}</span>
        ) : (
          <time dateTime={one.expires_at} className="whitespace-nowrap">
            {moment(one.expires_at)}
          </time>
        ),
    },
  ];
  return (
    <section className="min-w-0">
      <h2>{t("lots")}</h2>
      <p className="mt-1 mb-3 text-sm text-muted">{t("lotsHint")}</p>
      <Loaded of={lots} skeleton={<TableSkeleton rows={3} />}>
        {() =>
          rows.length === 0 ? (
            <Empty title={t("lotsNone")} />
          ) : (
            <Table label={t("lots")} columns={columns} rows={rows} rowKey={(one) => one.id} />
          )
        }
      </Loaded>
      <More of={lots} />
    </section>
  );
}
