/** The client of server state: what is asked again, and when. */

import { QueryClient } from "@tanstack/react-query";
import { ApiError } from "@/api/errors";

const TRIES = 2;

/** Once more where that may help: not where the request itself was refused. */
function isWorthTrying(count: number, error: Error): boolean {
  return count < TRIES && !(error instanceof ApiError && error.status < 500);
}

export const queries = new QueryClient({
  defaultOptions: {
    queries: { retry: isWorthTrying, staleTime: 10_000, refetchOnWindowFocus: true },
    mutations: { retry: false },
  },
});
