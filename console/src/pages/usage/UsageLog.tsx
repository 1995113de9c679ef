import { Link } from "react-router";
import { useKeyNames } from "@/api/keys";
import { csvAddress, OPERATIONS, type Usage, type UsageFilter, useUsages } from "@/api/usage";
import { useTexts } from "@/i18n";
import { useWords } from "@/i18n/words";
import { useFilters } from "@/lib/filters";
import { yuan } from "@/lib/money";
import { count } from "@/lib/numbers";
import { paths } from "@/paths";
import { Button, ButtonLink } from "@/ui/Button";
import { Badge, Empty } from "@/ui/Card";
import { DownloadLink } from "@/ui/DownloadLink";
import { SelectField } from "@/ui/Field";
import { Loaded } from "@/ui/Loaded";
import { ModelName } from "@/ui/ModelName";
import { Moment } from "@/ui/Moment";
import { type Column, Table, TableSkeleton } from "@/ui/Table";

const TONES: Readonly<Record<string, "good" | "warn">> = { completed: "good" };

/** The records, one by one. */
export function UsageLog({ where }: { where: UsageFilter }) {
  const t = useTexts("usage");
  const common = useTexts("common");
  const word = useWords();
  const filters = useFilters();
  const found = useUsages(where);
  const columns = useColumns();
  const rows = found.data?.pages.flatMap((page) => page.data) ?? [];
  return (
    <section className="mt-8">
      <div className="mb-3 flex flex-wrap items-end justify-between gap-3">
        <h2>{t("log")}</h2>
        <div className="flex flex-wrap items-end gap-3">
          <SelectField
            label={t("operation")}
            value={where.operation ?? ""}
            options={[["", t("all")], ...OPERATIONS.map((one) => [one, word(one)] as const)]}
            onChange={(event) => filters.change({ operation: event.target.value })}
          />
          <DownloadLink href={csvAddress(where)}>{t("csv")}</DownloadLink>
        </div>
      </div>
      <Loaded of={found} skeleton={<TableSkeleton />}>
        {() =>
          rows.length > 0 ? (
            <Table label={t("log")} columns={columns} rows={rows} rowKey={(one) => one.id} />
          ) : (
            <Nothing isFiltered={Boolean(where.key || where.model || where.operation)} book={where.book} />
          )
        }
      </Loaded>
      {found.hasNextPage && (
        <div className="mt-4 flex justify-center">
          <Button isBusy={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
            {common("more")}
          </Button>
        </div>
      )}
    </section>
  );
}

function Nothing({ isFiltered, book }: { isFiltered: boolean; book: Usage["book"] }) {
  const t = useTexts("usage");
  const filters = useFilters();
  return (
    <Empty title={t("none")}>
      {isFiltered ? (
        t("noneFiltered")
      ) : (
        <>
          <p className="mb-4">{t("noneHint")}</p>
          <div className="flex flex-wrap justify-center gap-2">
            <ButtonLink to={paths.chat()}>{t("toChat")}</ButtonLink>
            {book === "live" && <Button onClick={() => filters.change({ book: "test" })}>{t("toTest")}</Button>}
          </div>
        </>
      )}
    </Empty>
  );
}

function useColumns(): Column<Usage>[] {
  const t = useTexts("usage");
  const word = useWords();
  const keys = useKeyNames();
  return [
    {
      key: "time",
      head: t("time"),
      isName: true,
      cell: (one) => (
        <Link to={paths.usageRecord(one.id)} className="text-accent-ink underline-offset-2 hover:underline">
          <Moment at={one.posted_at} />
        </Link>
      ),
    },
    {
      key: "model",
      head: t("model"),
      cell: (one) => <ModelName model={one.model} operation={one.operation} />,
    },
    { key: "key", head: t("key"), cell: (one) => <span className="block max-w-48 truncate">{keys.data?.get(one.key_id)?.name ?? one.key_id}</span> },
    { key: "used", head: t("used"), isFigure: true, cell: (one) => <Used meters={one.meters} /> },
    { key: "status", head: t("status"), cell: (one) => <Badge tone={TONES[one.status] ?? "warn"}>{word(one.status)}</Badge> },
    { key: "charge", head: t("charge"), isFigure: true, cell: (one) => yuan(one.charge) },
  ];
}

/** The counts in a few words. */
function Used({ meters }: { meters: Usage["meters"] }) {
  const t = useTexts("usage");
  const word = useWords();
  if (meters["input_tokens"] !== undefined)
    return t("inOut", { input: count(meters["input_tokens"]), output: count(meters["output_tokens"] ?? 0) });
  return Object.entries(meters)
    .map(([meter, value]) => `${count(value)} ${word(meter)}`)
    .join(" · ");
}
