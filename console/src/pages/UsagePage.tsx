import { BOOKS, OPERATIONS, type UsageFilter } from "@/api/usage";
import { useTexts } from "@/i18n";
import { addDays, dayOf, isDay } from "@/lib/days";
import { useFilters } from "@/lib/filters";
import { Charts } from "@/pages/usage/Charts";
import { UsageFilters } from "@/pages/usage/UsageFilters";
import { UsageLog } from "@/pages/usage/UsageLog";
import { PageHead } from "@/ui/Card";

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
  return (
    <>
      <PageHead title={t("title")} lead={t("lead")} />
      <UsageFilters where={where} />
      {where.from <= where.to && <Charts where={where} />}
      <UsageLog where={where} />
    </>
  );
}
