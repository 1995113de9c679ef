import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { isNotFound } from "@/api/errors";
import { NotFoundPage } from "@/shell/ErrorPage";
import { Skeleton } from "@/ui/Card";
import { Loaded } from "@/ui/Loaded";

interface FoundProps<T> {
  query: UseQueryResult<T>;
  skeleton?: ReactNode;
  children: (data: T) => ReactNode;
}

/** What one page is about, once it is there; until then its shape, and else why it is not. */
export function Found<T>({ query, skeleton = <Skeleton className="h-96 w-full" />, children }: FoundProps<T>) {
  if (isNotFound(query.error)) return <NotFoundPage />;
  return (
    <Loaded of={query} skeleton={skeleton}>
      {children}
    </Loaded>
  );
}
