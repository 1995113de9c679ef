import { STATES, type TaskFilter, useTasks } from "@/api/tasks";
import { BOOKS, OPERATIONS } from "@/api/usage";
import { useTexts } from "@/i18n";
import { isDay, rangeFault } from "@/lib/days";
import { useFilters } from "@/lib/filters";
import { Gallery } from "@/pages/tasks/Gallery";
import { TaskFilters } from "@/pages/tasks/TaskFilters";
import { TaskTable } from "@/pages/tasks/TaskTable";
import { paths } from "@/paths";
import { Button, ButtonLink } from "@/ui/Button";
import { Empty, PageHead, Skeleton } from "@/ui/Card";
import { Loaded } from "@/ui/Loaded";
import { Segments } from "@/ui/Segments";

const VIEWS = ["gallery", "table"] as const;

/** The customer's videos, as pictures or as rows. */
export function Page() {
  const t = useTexts("tasks");
  const common = useTexts("common");
  const filters = useFilters();
  const view = filters.pick("view", VIEWS) ?? "gallery";
  const [from, to] = [filters.get("from"), filters.get("to")];
  const where: TaskFilter = {
    state: filters.pick("state", STATES),
    key: filters.get("key"),
    model: filters.get("model"),
    operation: filters.pick("operation", OPERATIONS),
    book: filters.pick("book", BOOKS),
    from: isDay(from) ? from : null,
    to: isDay(to) ? to : null,
  };
  const fault = rangeFault(where.from, where.to);
  const found = useTasks(where);
  const rows = found.data?.pages.flatMap((page) => page.data) ?? [];
  const isFiltered = Object.values(where).some((value) => value !== null);

  return (
    <>
      <PageHead
        title={t("title")}
        lead={t("lead")}
        actions={
          <>
            <Segments
              label={t("view")}
              value={view}
              options={VIEWS.map((one) => [one, t(one)])}
              onChange={(one) => filters.change({ view: one === "gallery" ? null : one })}
            />
            <ButtonLink to={paths.video()} tone="primary">
              {t("make")}
            </ButtonLink>
          </>
        }
      />
      <TaskFilters where={where} fault={fault} models={[...new Set(rows.map((task) => task.model))]} />
      {fault === null && (
        <>
          <Loaded of={found} skeleton={<GallerySkeleton />}>
            {() =>
              rows.length > 0 ? (
                view === "gallery" ? (
                  <Gallery rows={rows} />
                ) : (
                  <TaskTable rows={rows} />
                )
              ) : (
                <Empty title={isFiltered ? t("noneFiltered") : t("none")}>
                  <p className="mb-4">{isFiltered ? t("noneFilteredHint") : t("noneHint")}</p>
                  {!isFiltered && (
                    <ButtonLink to={paths.video()} tone="primary">
                      {t("make")}
                    </ButtonLink>
                  )}
                </Empty>
              )
            }
          </Loaded>
          {found.hasNextPage && (
            <div className="mt-6 flex justify-center">
              <Button isBusy={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
                {common("more")}
              </Button>
            </div>
          )}
        </>
      )}
    </>
  );
}

function GallerySkeleton() {
  return (
    <div className="grid grid-cols-[repeat(auto-fill,minmax(min(100%,16rem),1fr))] gap-4">
      {Array.from({ length: 8 }, (_, index) => (
        <Skeleton key={index} className="h-60 w-full" />
      ))}
    </div>
  );
}
