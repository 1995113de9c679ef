import type { UseInfiniteQueryResult, UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { isToldElsewhere } from "@/api/errors";
import { useTexts } from "@/i18n";
import { Button } from "@/ui/Button";
import { LoadProblem } from "@/ui/LoadProblem";

interface LoadedProps<T> {
  of: UseQueryResult<T> | UseInfiniteQueryResult<T>;
  /** The shape of what is coming. */
  skeleton: ReactNode;
  children: (data: T) => ReactNode;
}

/**
 * What was asked for, once it is there; until then its shape, or why it is not. What was heard once stays, also where
 * asking again has failed: a notice says that it may be old, and nothing that is typed below it is lost.
 */
export function Loaded<T>({ of: query, skeleton, children }: LoadedProps<T>) {
  const retry = () => void query.refetch();
  if (query.data === undefined) {
    return query.isError && !isToldElsewhere(query.error) ? <LoadProblem error={query.error} onRetry={retry} /> : skeleton;
  }
  return (
    <>
      {query.isError && !isToldElsewhere(query.error) && <Old isAsking={query.isFetching} onRetry={retry} />}
      {children(query.data)}
    </>
  );
}

function Old({ isAsking, onRetry }: { isAsking: boolean; onRetry: () => void }) {
  const t = useTexts("common");
  return (
    <div role="status" className="mb-3 flex flex-wrap items-center justify-between gap-2 rounded-control bg-warn-soft px-3 py-1.5 text-sm text-warn">
      <span>{t("old")}</span>
      <Button tone="quiet" isBusy={isAsking} onClick={onRetry}>
        {t("retry")}
      </Button>
    </div>
  );
}
