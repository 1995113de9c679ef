/** A conversation in the tab's own storage: it survives that the page is loaded again, and nobody else sees it. */

import { ApiError, OfflineError } from "@/api/errors";
import { pack, unpack } from "@/lib/pool";
import { forgetStored, PRIVATE } from "@/lib/privacy";
import type { Answer, Turn } from "@/pages/chat/conversation";
import type { Typed } from "@/playground/SchemaFields";

export interface Draft {
  text: string;
  images: readonly string[];
}

/** What was set beside the conversation, and the address that it belongs to. */
export interface KeptSettings {
  search: string;
  typed: Typed;
}

export interface Kept {
  turns: readonly Turn[];
  draft: Draft;
  settings: KeptSettings;
}

/** How much could be kept: all of it, all but the pictures, or nothing. */
export type Level = "all" | "text" | "none";

export const EMPTY: Kept = { turns: [], draft: { text: "", images: [] }, settings: { search: "", typed: {} } };

const PREFIX = `${PRIVATE}chat.`;
const VERSION = 2; // what an older page has kept is not read
const LENGTH_MAX = 5_000_000; // characters; about what browsers keep for a tab
const DATA_SHOWN = 48;

const place = (customer: string): string => `${PREFIX}${customer}`;
const isPicture = (text: string): boolean => text.startsWith("data:");

/** Keep it for this customer, as far as there is room. */
export function keep(storage: Storage, customer: string, kept: Kept): Level {
  const errors = { ...kept, turns: kept.turns.map((turn) => withAnswers(turn, (one) => ({ ...one, error: errorToKeep(one.error) }))) };
  if (put(storage, customer, pack({ ...errors, version: VERSION }))) return "all";
  const texts = { ...errors, version: VERSION, draft: { ...kept.draft, images: [] }, turns: errors.turns.map(withoutImages) };
  const small = pack(texts, (text) => (isPicture(text) ? `${text.slice(0, DATA_SHOWN)}…` : text));
  if (put(storage, customer, small)) return "text";
  storage.removeItem(place(customer)); // what is old would be taken for what is new
  return "none";
}

function put(storage: Storage, customer: string, text: string): boolean {
  if (text.length > LENGTH_MAX) return false;
  try {
    storage.setItem(place(customer), text);
    return true;
  } catch (error) {
    if (error instanceof DOMException) return false; // no room
    throw error;
  }
}

/** What this customer has kept; answers that were coming have broken off. */
export function restore(storage: Storage, customer: string): Kept {
  const text = storage.getItem(place(customer));
  if (text === null) return EMPTY;
  try {
    const found = unpack(text) as Kept & { version: number };
    if (found.version !== VERSION) return EMPTY;
    return { ...found, turns: found.turns.map((turn) => withAnswers(turn, restored)) };
  } catch {
    return EMPTY; // written by another version
  }
}

/** Nobody else's conversation stays in the tab. */
export function forgetOthers(storage: Storage, customer: string): void {
  forgetStored(storage, PREFIX, place(customer));
}

function withAnswers(turn: Turn, change: (answer: Answer) => Answer): Turn {
  return { ...turn, answers: turn.answers.map(change), replaced: turn.replaced.map(change) };
}

function withoutImages(turn: Turn): Turn {
  return { ...turn, images: [], imagesLost: turn.imagesLost + turn.images.length };
}

function restored(answer: Answer): Answer {
  return { ...answer, state: answer.state === "running" ? "broken" : answer.state, error: errorOfKept(answer.error) };
}

interface KeptError {
  status: number | null;
  code: string;
  message: string;
  param: string | null;
  retryAfter: number | null;
  requestId: string | null;
}

function errorToKeep(error: unknown): KeptError | null {
  if (error === null) return null;
  const nothing = { status: null, code: "", message: "", param: null, retryAfter: null, requestId: null };
  if (error instanceof OfflineError) return { ...nothing, code: "offline" };
  if (!(error instanceof ApiError)) return nothing;
  const { status, code, message, param, retryAfter, requestId } = error;
  return { status, code, message, param, retryAfter, requestId };
}

function errorOfKept(kept: unknown): unknown {
  if (kept === null) return null;
  const { status, code, message, param, retryAfter, requestId } = kept as KeptError;
  if (status !== null) return new ApiError(status, code, message, param, retryAfter, requestId);
  return code === "offline" ? new OfflineError() : new Error("an answer has failed before");
}
