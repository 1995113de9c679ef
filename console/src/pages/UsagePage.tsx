import { BOOKS, OPERATIONS, type UsageFilter, useUsageDays } from "@/api/usage";
import { useTexts } from "@/i18n";
import { addDays, dayOf, isDay, rangeFault } from "@/lib/days";
import { useFilters } from "@/lib/filters";
import { Charts } from "@/pages/usage/Charts";
import { type DaysFault, UsageFilters } from "@/pages/usage/UsageFilters";
import { UsageLog } from "@/pages/usage/UsageLog";
import { PageHead } from "@/ui/Card";
import { problemOf } from "@/ui/Problem";

const DAYS_SHOWN = 30;

/** What was used: added up and one by one. */
export function Page() {
  const t = useTexts("usage");
  const filters = useFilters();
  const today = dayOf(Date.now());
  const [from, to] = [filters.get("from"), filters.get("to")];
  const last = isDay(to) ? to : today;
  const where: UsageFilter = {
    book: filters.pick("book", BOOKS) ?? "live",
    from: isDay(from) ? from : addDays(last, 1 - DAYS_SHOWN),
    to: last,
    key: filters.get("key"),
    model: filters.get("model"),
    operation: filters.pick("operation", OPERATIONS),
  };
  const fault = useFault(where);
  return (
    <>
      <PageHead title={t("title")} lead={t("lead")} />
      <UsageFilters where={where} fault={fault} />
      {fault === null && (
        <>
          <Charts where={where} />
          <UsageLog where={where} />
        </>
      )}
    </>
  );
}

/** What is wrong with the time that is looked at: told once, at its field, and nothing is shown that has no answer. */
function useFault(where: UsageFilter): DaysFault | null {
  const t = useTexts("usage");
  const local = rangeFault(where.from, where.to);
  const { error } = useUsageDays({ ...where, model: null }, ["model"]);
  if (local) return { at: local.at, text: t(local.why === "order" ? "wrongDays" : "wrongYear") };
  for (const at of ["from", "to"] as const) {
    const text = problemOf(error, at);
    if (text !== null) return { at, text };
  }
  return null;
}
