import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { isNotFound } from "@/api/errors";
import { NotFoundPage } from "@/shell/ErrorPage";
import { Skeleton } from "@/ui/Card";
import { Problem } from "@/ui/Problem";

/** What one page is about, once it is there; until then its shape, and else why it is not. */
export function Found<T>({ query, children }: { query: UseQueryResult<T>; children: (data: T) => ReactNode }) {
  if (query.isPending) return <Skeleton className="h-96 w-full" />;
  if (isNotFound(query.error)) return <NotFoundPage />;
  if (query.isError) return <Problem error={query.error} onRetry={() => void query.refetch()} />;
  return children(query.data);
}
