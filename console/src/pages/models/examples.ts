/** The model that examples name: one that is sold here. */

import type { Model } from "@/api/models";

const USUAL = "qwen3-max";

/** Of chat: the one whose answers and charges the guide shows, as long as it is sold; else the first that is. */
export function exampleChat(sold: readonly Model[]): string {
  const chats = sold.filter((one) => one.operation === "chat").map((one) => one.model);
  return chats.includes(USUAL) ? USUAL : (chats[0] ?? USUAL);
}
