/** What an answer has cost in the end, from the record of its usage. */

import { api, call, type Schemas } from "@/api/client";
import { ApiError, OfflineError } from "@/api/errors";
import type { Answer, Usage } from "@/pages/chat/conversation";

type Record_ = Schemas["UsageView"];

/** Records come within a second, unless a provider is read to its end after somebody has left: that can take minutes. */
const WAITS_MS = [300, 700, 1_500, 3_000, 5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000];
const LOOKED_AT = 50; // of the tab's own key; that many answers do not end at once

/** The record of an answer as its usage, once it is there; null if it does not come. */
export async function settledUsage(answer: Pick<Answer, "book" | "usageId" | "keyId">, signal: AbortSignal): Promise<Usage | null> {
  for (const wait of WAITS_MS) {
    await pause(wait, signal);
    if (signal.aborted) return null;
    const found = await look(answer);
    if (found === "never") return null;
    if (found) return usageOf(found);
  }
  return null;
}

async function look({ book, usageId, keyId }: Pick<Answer, "book" | "usageId" | "keyId">): Promise<Record_ | "never" | null> {
  try {
    const query = { book, key: keyId, limit: LOOKED_AT };
    const page = await call(() => api.GET("/api/usage", { params: { query } }));
    return typeof page === "string" ? null : (page.data.find((one) => one.id === usageId) ?? null);
  } catch (error) {
    if (error instanceof OfflineError) return null; // the next attempt may get through
    if (error instanceof ApiError) return error.status >= 500 || error.status === 429 ? null : "never";
    throw error;
  }
}

function usageOf(record: Record_): Usage {
  return {
    prompt_tokens: record.meters["input_tokens"] ?? 0,
    completion_tokens: record.meters["output_tokens"] ?? 0,
    cost: record.charge,
    estimated: record.counted_by === "platform",
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
