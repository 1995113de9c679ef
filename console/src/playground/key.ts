/**
 * The playground's own API key. Cookies do not reach the published API, so the playground is a client like any other: it
 * makes a key for some hours, and keeps it in this tab only.
 */

import { useSyncExternalStore } from "react";
import { api, call } from "@/api/client";
import { ApiError } from "@/api/errors";

export type Book = "live" | "test";

/** Whose key, of which book. */
export interface Access {
  book: Book;
  customer: string;
}

export interface PlaygroundKey extends Access {
  id: string;
  key: string;
  prefix: string;
  expiresAt: string;
  /** It was made because the one before was refused. */
  isReplacement: boolean;
}

const NAME = "Playground";
const LIFE_MS = 8 * 3_600_000;
const SPARE_MS = 60_000;
const PAGE = 200;
const place = (book: Book): string => `yuanjing.playground.${book}`;

const making = new Map<Book, Promise<PlaygroundKey>>();
const listeners = new Set<() => void>();

/** The key of the tab, made if there is none that is of use. */
export async function playgroundKey(access: Access): Promise<PlaygroundKey> {
  return kept(access) ?? (await makeOnce(access, false));
}

/** Another key in place of one that was refused; several calls that were refused together get the same. */
export async function replaceKey(access: Access, refused: string): Promise<PlaygroundKey> {
  const now = kept(access);
  if (now && now.key !== refused) return now;
  return await makeOnce(access, true);
}

/** Nothing stays in the tab of who has signed out. */
export function forgetKeys(): void {
  for (const book of ["live", "test"] as const) sessionStorage.removeItem(place(book));
  for (const listener of listeners) listener();
}

/** The key that is in use, as far as there is one. */
export function usePlaygroundKey(access: Access): PlaygroundKey | null {
  const text = useSyncExternalStore(listen, () => sessionStorage.getItem(place(access.book)));
  return text === null ? null : read(text, access);
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function kept(access: Access): PlaygroundKey | null {
  const text = sessionStorage.getItem(place(access.book));
  return text === null ? null : read(text, access);
}

/** What was kept, unless it is another customer's, or nearly over. */
function read(text: string, access: Access): PlaygroundKey | null {
  const found = JSON.parse(text) as PlaygroundKey;
  const isGood = found.customer === access.customer && Date.parse(found.expiresAt) - Date.now() > SPARE_MS;
  return isGood ? found : null;
}

function makeOnce(access: Access, isReplacement: boolean): Promise<PlaygroundKey> {
  const running = making.get(access.book);
  if (running) return running;
  const made = make(access, isReplacement).finally(() => making.delete(access.book));
  making.set(access.book, made);
  return made;
}

async function make(access: Access, isReplacement: boolean): Promise<PlaygroundKey> {
  const expiresAt = new Date(Date.now() + LIFE_MS).toISOString();
  const body = { name: NAME, book: access.book, expires_at: expiresAt };
  const create = () => call(() => api.POST("/api/keys", { body }));
  const made = await create().catch(async (error: unknown) => {
    if (!(error instanceof ApiError && error.code === "too_many_keys")) throw error;
    await revokeOld();
    return await create();
  });
  const { id, key, prefix } = made;
  const found: PlaygroundKey = { ...access, id, key, prefix, expiresAt, isReplacement };
  sessionStorage.setItem(place(access.book), JSON.stringify(found));
  for (const listener of listeners) listener();
  return found;
}

/** Our own keys whose time is over count until they are revoked. */
async function revokeOld(): Promise<void> {
  let after: string | null = null;
  do {
    const query: { limit: number; after?: string } = after === null ? { limit: PAGE } : { limit: PAGE, after };
    const page = await call(() => api.GET("/api/keys", { params: { query } }));
    for (const one of page.data)
      if (one.name === NAME && one.state === "expired")
        await call(() => api.DELETE("/api/keys/{key_id}", { params: { path: { key_id: one.id } } }));
    after = page.next;
  } while (after !== null);
}
