/** What somebody is about to have made, in the tab's own storage: a reload and other pages leave it, and nobody else sees it. */

import { forgetStored, PRIVATE } from "@/lib/privacy";
import type { Typed } from "@/playground/SchemaFields";

export interface KeptDraft {
  /** The address that it belongs to, without the task whose settings it began with. */
  search: string;
  typed: Typed;
  /** The task that it began with. */
  reused: KeptReuse | null;
}

/** What is to be known of a task whose settings were taken, so that they do not replace later edits. */
export interface KeptReuse {
  task: string;
  before: { typed: Typed; llmid: string };
  /** Names of those of its files that are still wanted. */
  files: readonly string[];
}

const PREFIX = `${PRIVATE}video.`;
const place = (customer: string): string => `${PREFIX}${customer}`;

/** An address without the task that it began with. */
export function addressOf(search: URLSearchParams): string {
  const own = new URLSearchParams(search);
  own.delete("from");
  return own.toString();
}

/** Keep it, as far as there is room. */
export function keepDraft(storage: Storage, customer: string, draft: KeptDraft): void {
  try {
    storage.setItem(place(customer), JSON.stringify(draft));
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    storage.removeItem(place(customer)); // no room: what is old would be taken for what is new
  }
}

/** What this customer has kept; nobody else's stays in the tab. */
export function restoreDraft(storage: Storage, customer: string): KeptDraft | null {
  forgetStored(storage, PREFIX, place(customer));
  const text = storage.getItem(place(customer));
  return text === null ? null : (JSON.parse(text) as KeptDraft);
}
