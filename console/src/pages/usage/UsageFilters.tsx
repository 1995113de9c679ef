import { useKeyNames } from "@/api/keys";
import { BOOKS, type UsageFilter, useUsageDays } from "@/api/usage";
import { useTexts } from "@/i18n";
import { useWords } from "@/i18n/words";
import { useFilters } from "@/lib/filters";
import { Button } from "@/ui/Button";
import { DateField } from "@/ui/DraftField";
import { SelectField } from "@/ui/Field";
import { Segments } from "@/ui/Segments";

export interface DaysFault {
  at: "from" | "to";
  text: string;
}

/** What is looked at; all of it is in the address. */
export function UsageFilters({ where, fault }: { where: UsageFilter; fault: DaysFault | null }) {
  const t = useTexts("usage");
  const word = useWords();
  const filters = useFilters();
  const keys = [...(useKeyNames().data ?? [])].filter(([, key]) => key.book === where.book);
  const byModel = useUsageDays({ ...where, model: null }, ["model"]);
  const models = byModel.data?.data.map((one) => one.model ?? "") ?? [];
  const names = where.model && !models.includes(where.model) ? [where.model, ...models] : models;
  const isFiltered = ["from", "to", "key", "model", "operation"].some((name) => filters.get(name));
  return (
    <form aria-label={t("filters")} className="mb-6 flex flex-col gap-3" onSubmit={(event) => event.preventDefault()}>
      <div className="flex flex-wrap items-center gap-3">
        <Segments
          label={t("book")}
          value={where.book}
          options={BOOKS.map((book) => [book, word(book)])}
          onChange={(book) => filters.change({ book: book === "live" ? null : book, key: null, model: null })}
        />
        {isFiltered && (
          <Button tone="quiet" onClick={() => filters.change({ from: null, to: null, key: null, model: null, operation: null })}>
            {t("reset")}
          </Button>
        )}
      </div>
      <div className="grid grid-cols-2 gap-3 md:grid-cols-4">
        <DateField
          label={t("from")}
          value={where.from}
          problem={fault?.at === "from" ? fault.text : null}
          onSettled={(from) => filters.change({ from })}
        />
        <DateField label={t("to")} value={where.to} problem={fault?.at === "to" ? fault.text : null} onSettled={(to) => filters.change({ to })} />
        <SelectField
          label={t("key")}
          value={where.key ?? ""}
          options={[["", t("all")], ...keys.map(([id, key]) => [id, key.name] as const)]}
          onChange={(event) => filters.change({ key: event.target.value })}
        />
        <SelectField
          label={t("model")}
          value={where.model ?? ""}
          options={[["", t("all")], ...names.map((name) => [name, name] as const)]}
          onChange={(event) => filters.change({ model: event.target.value })}
        />
      </div>
    </form>
  );
}
