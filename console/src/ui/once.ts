/** Several parts of a page that fail for one reason: the first of them says so, and asks again for all. */

import { useEffect, useId, useRef, useSyncExternalStore } from "react";
import { ApiError, OfflineError } from "@/api/errors";

interface Failed {
  id: string;
  reason: string;
  retry: () => void;
}

const FAULT = 500; // HTTP: from here on it is not about what was asked
/** HTTP: about who asks, and how often. */
const OF_THE_CALLER: ReadonlySet<number> = new Set([401, 403, 429]);
let failed: readonly Failed[] = [];
const listeners = new Set<() => void>();

function put(next: readonly Failed[]): void {
  failed = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What would be said in the same words of anything else that is asked now; null where it is about this part alone. */
export function sharedReason(error: unknown): string | null {
  if (error instanceof OfflineError) return "offline";
  if (!(error instanceof ApiError) || error.param !== null) return null;
  return error.status >= FAULT || OF_THE_CALLER.has(error.status) ? `${error.status} ${error.code}` : null;
}

/** Whether this part tells of an error, and what has all that failed like it asked again. */
export function useToldOnce(error: unknown, onRetry: () => void): { isTold: boolean; retry: () => void } {
  const id = useId();
  const reason = sharedReason(error);
  const latest = useRef(onRetry);
  useEffect(() => {
    latest.current = onRetry;
  });
  useEffect(() => {
    if (reason === null) return undefined;
    put([...failed, { id, reason, retry: () => latest.current() }]);
    return () => put(failed.filter((one) => one.id !== id));
  }, [id, reason]);
  const first = useSyncExternalStore(subscribe, () => failed.find((one) => one.reason === reason)?.id, () => id);
  if (reason === null) return { isTold: true, retry: onRetry };
  return { isTold: first === id, retry: () => failed.filter((one) => one.reason === reason).forEach((one) => one.retry()) };
}
