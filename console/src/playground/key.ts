/**
 * The playground's own API key. Cookies do not reach the published API, so the playground is a client like any other: it
 * makes a key for some hours. The open tabs of a browser share one for each book; it is kept in them only, and revoked when
 * its customer signs out in any of them.
 */

import i18next from "i18next";
import { useSyncExternalStore } from "react";
import { api, call } from "@/api/client";
import { ApiError } from "@/api/errors";
import { onTabs, tellTabs } from "@/lib/tabs";
import { forgetMade, keysBefore, keysOf, noteMade } from "@/playground/made";

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

/** What its keys are called in the customer's lists: by the language in which they were made. */
const NAMES = { zh: "体验区", en: "Playground" } as const;
const OUR_NAMES: readonly string[] = Object.values(NAMES);
const LIFE_MS = 8 * 3_600_000;
const SPARE_MS = 60_000;
const ANSWER_MS = 80; // other tabs of this browser answer at once, or are asleep
const PAGE = 200;
const place = (book: Book): string => `yuanjing.playground.${book}`;

const making = new Map<Book, Promise<PlaygroundKey>>();
const listeners = new Set<() => void>();

/** The key of the tabs, made if there is none that is of use. */
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

/** End all keys that this browser has made for a customer who is about to sign out. */
export async function revokeKeys(customer: string): Promise<void> {
  await revoke(keysOf(customer));
  forgetKeys();
}

/** Share the key with the other tabs; for as long as the page is open. */
export function shareKeys(): void {
  onTabs((said) => {
    if (said.kind === "key") keep(said.key);
    if (said.kind !== "key-wanted") return;
    const mine = kept(said);
    if (mine) tellTabs({ kind: "key", key: mine });
  });
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

function keep(key: PlaygroundKey): void {
  sessionStorage.setItem(place(key.book), JSON.stringify(key));
  for (const listener of listeners) listener();
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
  const made = (isReplacement ? make(access, true) : find(access)).finally(() => making.delete(access.book));
  making.set(access.book, made);
  return made;
}

/** Another tab's, or else a new one. */
async function find(access: Access): Promise<PlaygroundKey> {
  tellTabs({ kind: "key-wanted", ...access });
  await new Promise((done) => setTimeout(done, ANSWER_MS));
  return kept(access) ?? (await make(access, false));
}

async function make(access: Access, isReplacement: boolean): Promise<PlaygroundKey> {
  const expiresAt = new Date(Date.now() + LIFE_MS).toISOString();
  const body = { name: NAMES[i18next.language === "zh" ? "zh" : "en"], book: access.book, expires_at: expiresAt };
  const create = () => call(() => api.POST("/api/keys", { body }));
  const made = await create().catch(async (error: unknown) => {
    if (!(error instanceof ApiError && error.code === "too_many_keys")) throw error;
    await revokeOld();
    return await create();
  });
  const { id, key, prefix } = made;
  const found: PlaygroundKey = { ...access, id, key, prefix, expiresAt, isReplacement };
  noteMade({ id, customer: access.customer, book: access.book, expiresAt });
  keep(found);
  tellTabs({ kind: "key", key: found });
  void revoke(keysBefore(id)).catch(() => undefined); // they end by themselves, or with the next sign-out
  return found;
}

/** Revoke some of our own keys; one that is gone is as good. */
async function revoke(ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    try {
      await call(() => api.DELETE("/api/keys/{key_id}", { params: { path: { key_id: id } } }), { mayAsk: false });
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    }
    forgetMade(id);
  }
}

/** Our own keys whose time is over count until they are revoked. */
async function revokeOld(): Promise<void> {
  let after: string | null = null;
  do {
    const query: { limit: number; after?: string } = after === null ? { limit: PAGE } : { limit: PAGE, after };
    const page = await call(() => api.GET("/api/keys", { params: { query } }));
    await revoke(page.data.filter((one) => OUR_NAMES.includes(one.name) && one.state === "expired").map((one) => one.id));
    after = page.next;
  } while (after !== null);
}
