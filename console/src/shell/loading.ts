/**
 * The parts of the console that are fetched when they are first needed, and what is done when they cannot be: whoever is on
 * a page stays there, with all that is on it, and is told.
 */

import { useSyncExternalStore } from "react";

/** No answer of the server; or another version of the console is there by now, without the part. */
export type Trouble = "offline" | "outdated";

/** A part of the first page cannot be fetched: there is no page to stay on. */
export class LoadError extends Error {
  override readonly name = "LoadError";

  constructor(
    readonly trouble: Trouble,
    cause: unknown,
  ) {
    super("a part of the console cannot be loaded", { cause });
  }
}

interface Waiting {
  trouble: Trouble;
  retry: () => void;
}

let waiting: Waiting | null = null;
const listeners = new Set<() => void>();

function setWaiting(now: Waiting | null): void {
  waiting = now;
  for (const listener of listeners) listener();
}

/** The part that is waited for, if there is one. */
export function useWaiting(): Waiting | null {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => waiting,
  );
}

/** Whether the server answers, which tells why a part of the console does not come. */
export async function findTrouble(): Promise<Trouble> {
  try {
    const answer = await fetch("/", { method: "HEAD", cache: "no-store" });
    return answer.ok ? "outdated" : "offline";
  } catch {
    return "offline"; // that is the answer
  }
}

/** Load the page again, unless that would end on the browser's own page of errors; why not. */
export async function reload(to: string): Promise<Trouble> {
  const found = await findTrouble();
  if (found === "outdated") location.assign(to);
  return found;
}

/**
 * Load a part; `isFirst` tells that there is no page yet. Throws `LoadError` then, and else waits until it is there: it is
 * tried again now and then, when the network comes back, and when somebody wants it.
 */
export async function loadPart<T>(load: () => Promise<T>, isFirst: () => boolean = () => false): Promise<T> {
  for (;;) {
    try {
      return await load();
    } catch (error) {
      const trouble = await findTrouble();
      if (isFirst()) throw new LoadError(trouble, error);
      await untilRetry(trouble);
    }
  }
}

async function untilRetry(trouble: Trouble): Promise<void> {
  const controller = new AbortController();
  let timer = 0;
  let own: Waiting | null = null;
  await new Promise<void>((done) => {
    own = { trouble, retry: done };
    setWaiting(own);
    addEventListener("online", () => done(), { signal: controller.signal });
    timer = window.setTimeout(done, AGAIN_MS);
  });
  controller.abort();
  clearTimeout(timer);
  if (waiting === own) setWaiting(null);
}

const AGAIN_MS = 5_000;
const REST_MS = 4_000;
const SLICE_MS = 200;

/** Fetch the other parts when nothing else is to be done, so that they are there when the network or the version is not. */
export function prefetch(parts: readonly (() => Promise<unknown>)[]): void {
  const isSparing = (navigator as { connection?: { saveData?: boolean } }).connection?.saveData === true;
  if (isSparing) return;
  setTimeout(() => {
    performance.mark("yuanjing.prefetch");
    void each(parts);
  }, REST_MS);
}

async function each(parts: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const load of parts) {
    await atRest();
    await load().catch(() => undefined); // it is told when it is needed
  }
}

/** When the browser has nothing to do; Safari does not tell. */
function atRest(): Promise<unknown> {
  const { requestIdleCallback: whenIdle } = globalThis as { requestIdleCallback?: typeof requestIdleCallback };
  return new Promise((done) => (whenIdle ? whenIdle(done) : setTimeout(done, SLICE_MS)));
}
