import { lazy, Suspense, useMemo } from "react";
import { useKeyNames } from "@/api/keys";
import { type UsageFilter, useUsageDays } from "@/api/usage";
import { useTexts } from "@/i18n";
import { useFilters } from "@/lib/filters";
import { nanos, yuan } from "@/lib/money";
import { count, shortCount } from "@/lib/numbers";
import { day } from "@/lib/time";
import { type Chart, chartOf, COLOURS, REST, type Series, shareOf } from "@/pages/usage/series";
import { Card, Skeleton } from "@/ui/Card";
import { Figure } from "@/ui/Facts";
import { LoadProblem } from "@/ui/LoadProblem";
import { Segments } from "@/ui/Segments";
import { Table } from "@/ui/Table";

const DayChart = lazy(async () => ({ default: (await import("@/pages/usage/DayChart")).DayChart }));
const SWATCHES = ["bg-(--chart-1)", "bg-(--chart-2)", "bg-(--chart-3)", "bg-(--chart-4)", "bg-(--chart-5)", "bg-(--chart-6)"];

/** What keys and models are called in a chart. */
function useNameOf(split: "model" | "key"): (id: string) => string {
  const t = useTexts("usage");
  const keys = useKeyNames();
  return (id) => (id === REST ? t("rest") : split === "key" ? (keys.data?.get(id)?.name ?? id) : id);
}

/** Totals, and charts by day, model and key. */
export function Charts({ where }: { where: UsageFilter }) {
  const t = useTexts("usage");
  const filters = useFilters();
  const split = filters.pick("split", ["model", "key"]) ?? "model";
  const days = useUsageDays(where, ["day", split]);
  const total = days.data?.total;
  const nameOf = useNameOf(split);
  const chart = useMemo(() => chartOf(days.data?.data ?? [], split, where.from, where.to), [days.data, split, where.from, where.to]);

  if (days.isError && total === undefined) return <LoadProblem error={days.error} onRetry={() => void days.refetch()} />;
  return (
    <div className="flex flex-col gap-4">
      <div className="grid grid-cols-2 gap-3 lg:grid-cols-4">
        <Figure label={t("charge")}>{total ? yuan(total.charge) : <Skeleton className="h-6 w-24" />}</Figure>
        <Figure label={t("requests")}>{total ? count(total.requests) : <Skeleton className="h-6 w-16" />}</Figure>
        <Figure label={t("input")}>{total ? <Short value={total.input_tokens} /> : <Skeleton className="h-6 w-16" />}</Figure>
        <Figure label={t("output")}>{total ? <Short value={total.output_tokens} /> : <Skeleton className="h-6 w-16" />}</Figure>
      </div>
      {total?.requests !== 0 && (
        <Card>
          <div className="mb-4 flex flex-wrap items-center justify-between gap-3">
            <h2>{t("byDay")}</h2>
            <Segments
              label={t("split")}
              value={split}
              options={[
                ["model", t("byModel")],
                ["key", t("byKey")],
              ]}
              onChange={(value) => filters.change({ split: value === "model" ? null : value })}
            />
          </div>
          {total === undefined ? (
            <Skeleton className="h-72 w-full" />
          ) : (
            <>
              <div role="img" aria-label={t("chartLabel", { from: day(where.from), to: day(where.to), total: yuan(total.charge) })}>
                <Suspense fallback={<Skeleton className="h-72 w-full" />}>
                  <DayChart chart={chart} names={chart.series.map((one) => nameOf(one.id))} />
                </Suspense>
              </div>
              <Parts series={chart.series} total={total.charge} nameOf={nameOf} />
              <ChartTable chart={chart} nameOf={nameOf} />
            </>
          )}
        </Card>
      )}
    </div>
  );
}

function Short({ value }: { value: number }) {
  return <span title={count(value)}>{shortCount(value)}</span>;
}

/** Legend and ranking in one: what each part comes to. */
function Parts({ series, total, nameOf }: { series: readonly Series[]; total: string; nameOf: (id: string) => string }) {
  const t = useTexts("usage");
  const whole = nanos(total);
  return (
    <ul className="grid gap-x-8 gap-y-2 sm:grid-cols-2">
      {series.map((one, n) => {
        const percent = shareOf(nanos(one.total), whole);
        const name = nameOf(one.id);
        return (
          <li key={one.id} className="flex min-w-0 items-center gap-2 text-sm" title={t("share", { name, amount: yuan(one.total), percent })}>
            <span aria-hidden className={`size-3 shrink-0 rounded-[3px] ${SWATCHES[one.id === REST || n >= COLOURS ? COLOURS : n] ?? ""}`} />
            <span className="min-w-0 flex-1 truncate">{name}</span>
            <span className="tabular-nums">{yuan(one.total)}</span>
            <span className="w-14 text-right text-muted tabular-nums">{percent}</span>
          </li>
        );
      })}
    </ul>
  );
}

/** The same figures to read: for screen readers, and for whoever likes figures. */
function ChartTable({ chart, nameOf }: { chart: Chart; nameOf: (id: string) => string }) {
  const t = useTexts("usage");
  const places = chart.days.map((_, n) => n).filter((n) => nanos(chart.sums[n] ?? "0") > 0n);
  return (
    <details className="mt-4">
      <summary className="cursor-pointer text-sm text-muted hover:text-ink">{t("asTable")}</summary>
      <div className="mt-3">
        <Table
          label={t("byDay")}
          rows={places.toReversed()}
          rowKey={(n) => chart.days[n] ?? ""}
          columns={[
            { key: "day", head: t("day"), isName: true, cell: (n) => <span className="whitespace-nowrap">{day(chart.days[n] ?? "1970-01-01")}</span> },
            { key: "sum", head: t("sum"), isFigure: true, cell: (n) => yuan(chart.sums[n] ?? "0") },
            ...chart.series.map((one) => ({
              key: one.id || "rest",
              head: nameOf(one.id),
              isFigure: true,
              cell: (n: number) => yuan(one.charges[n] ?? "0"),
            })),
          ]}
        />
      </div>
    </details>
  );
}
