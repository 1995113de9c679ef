import { useKeyNames } from "@/api/keys";
import { STATES, type TaskFilter } from "@/api/tasks";
import { BOOKS, OPERATIONS } from "@/api/usage";
import { useTexts } from "@/i18n";
import { useWords } from "@/i18n/words";
import type { RangeFault } from "@/lib/days";
import { useFilters } from "@/lib/filters";
import { Button } from "@/ui/Button";
import { DateField } from "@/ui/DraftField";
import { SelectField } from "@/ui/Field";

const NAMES = ["state", "key", "model", "operation", "book", "from", "to"] as const;

/** What is looked at; all of it is in the address. */
export function TaskFilters({ where, fault, models }: { where: TaskFilter; fault: RangeFault | null; models: readonly string[] }) {
  const t = useTexts("tasks");
  const word = useWords();
  const filters = useFilters();
  const keys = useKeyNames();
  const problem = (at: RangeFault["at"]) => fault?.at === at && t(fault.why === "order" ? "wrongDays" : "wrongYear");
  const all = ["", t("all")] as const;
  const names = [...new Set([...(where.model ? [where.model] : []), ...models])];

  function choice(name: "state" | "key" | "model" | "operation" | "book", options: readonly (readonly [string, string])[]) {
    return (
      <SelectField
        label={t(name)}
        value={where[name] ?? ""}
        options={[all, ...options]}
        onChange={(event) => filters.change({ [name]: event.target.value })}
      />
    );
  }

  return (
    <form aria-label={t("filters")} className="mb-6" onSubmit={(event) => event.preventDefault()}>
      <div className="grid grid-cols-2 gap-3 sm:grid-cols-4 xl:grid-cols-7">
        {choice("state", STATES.map((one) => [one, word(one)]))}
        {choice("book", BOOKS.map((one) => [one, word(one)]))}
        {choice("model", names.map((one) => [one, one]))}
        {choice("operation", OPERATIONS.filter((one) => one !== "chat").map((one) => [one, word(one)]))}
        <DateField label={t("from")} problem={problem("from") || null} value={where.from ?? ""} onSettled={(from) => filters.change({ from })} />
        <DateField label={t("to")} problem={problem("to") || null} value={where.to ?? ""} onSettled={(to) => filters.change({ to })} />
        {choice("key", [...(keys.data ?? [])].map(([id, key]) => [id, key.name]))}
      </div>
      {NAMES.some((name) => where[name] !== null) && (
        <Button tone="quiet" className="mt-2" onClick={() => filters.change(Object.fromEntries(NAMES.map((name) => [name, null])))}>
          {t("reset")}
        </Button>
      )}
    </form>
  );
}
