/** What is being typed about a key, and the request that it makes. */

import type { Key, KeyBody, KeyPatch } from "@/api/keys";
import { dayOf } from "@/lib/days";
import { parseYuan } from "@/lib/money";

export interface Draft {
  name: string;
  book: "live" | "test";
  expires_at: string;
  models: string;
  networks: string;
  requests_per_minute: string;
  tokens_per_minute: string;
  concurrency: string;
  budget: string;
  budget_period: "total" | "day" | "month";
}

export type DraftField = keyof Draft;
export type Faults = Partial<Record<DraftField, "wrongCount" | "wrongAmount">>;

export const EMPTY: Draft = {
  name: "",
  book: "test",
  expires_at: "",
  models: "",
  networks: "",
  requests_per_minute: "",
  tokens_per_minute: "",
  concurrency: "",
  budget: "",
  budget_period: "total",
};

const isField = (name: string): name is DraftField => Object.hasOwn(EMPTY, name);

const COUNTS = ["requests_per_minute", "tokens_per_minute", "concurrency"] as const;

/** A key as it would have been typed. A key expires at the end of a day, which is the beginning of the next. */
export function draftOf(key: Key): Draft {
  return {
    name: key.name,
    book: key.book,
    expires_at: key.expires_at === null ? "" : dayOf(Date.parse(key.expires_at) - 1),
    models: key.models.join("\n"),
    networks: key.networks.join("\n"),
    requests_per_minute: key.requests_per_minute?.toString() ?? "",
    tokens_per_minute: key.tokens_per_minute?.toString() ?? "",
    concurrency: key.concurrency?.toString() ?? "",
    budget: key.budget ?? "",
    budget_period: key.budget_period,
  };
}

/** What cannot be sent as it is. */
export function faultsOf(draft: Draft): Faults {
  const faults: Faults = {};
  for (const name of COUNTS) if (draft[name].trim() && !/^[1-9]\d{0,14}$/.test(draft[name].trim())) faults[name] = "wrongCount";
  if (draft.budget.trim() && parseYuan(draft.budget) === null) faults.budget = "wrongAmount";
  return faults;
}

const lines = (text: string): string[] => text.split(/[\n,，]/).map((line) => line.trim()).filter(Boolean);
const number = (text: string): number | null => (text.trim() ? Number(text) : null);

/** The whole request for a new key; of a draft without faults. */
export function bodyOf(draft: Draft): Required<KeyBody> {
  return {
    name: draft.name.trim(),
    book: draft.book,
    expires_at: draft.expires_at || null,
    models: lines(draft.models),
    networks: lines(draft.networks),
    requests_per_minute: number(draft.requests_per_minute),
    tokens_per_minute: number(draft.tokens_per_minute),
    concurrency: number(draft.concurrency),
    budget: draft.budget.trim() ? parseYuan(draft.budget) : null,
    budget_period: draft.budget_period,
  };
}

/** Only what is different now: what somebody else has changed meanwhile stays. */
export function changesOf(before: Draft, after: Draft): KeyPatch {
  const { book: _book, ...body } = bodyOf(after);
  const changed = Object.entries(body).filter(([name]) => isField(name) && before[name] !== after[name]);
  return Object.fromEntries(changed);
}
