/** The client of server state: what is asked again, and when. */

import { QueryClient } from "@tanstack/react-query";
import { ApiError, OfflineError, OtherCustomerError } from "@/api/errors";

const TRIES = 2;

/** Once more where that may help: not where the request itself was refused. */
function isWorthTrying(count: number, error: Error): boolean {
  if (error instanceof OtherCustomerError || (error instanceof ApiError && error.status < 500)) return false;
  return count < TRIES && (navigator.onLine || !(error instanceof OfflineError));
}

export const queries = new QueryClient({
  defaultOptions: {
    // What cannot be done without a network fails at once: nothing waits in the dark, and is done when nobody expects it.
    queries: { networkMode: "always", retry: isWorthTrying, staleTime: 10_000, refetchOnWindowFocus: true, refetchOnReconnect: true },
    mutations: { networkMode: "always", retry: false },
  },
});
