/** About how many tokens a text has, and what they cost: for as long as nobody has counted. */

import type { ModelPrice } from "@/api/models";
import { decimal, nanos } from "@/lib/money";
import type { Message } from "@/pages/chat/conversation";

export type Tiers = ModelPrice["tiers"];

const OF_MESSAGE = 4;
const OF_IMAGE = 256;
const BYTES_PER_TOKEN = 4;
/** Characters of Chinese, Japanese and Korean: about a token each. */
const CJK = /[\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\u{20000}-\u{3ffff}]/gu;
const MILLION = 1_000_000n;
const SHOWN = 1_000n; // nano-yuan: a guess has no more than six decimals

/** Of a text. */
export function tokensOf(text: string): number {
  const others = text.replace(CJK, "");
  const characters = [...text].length - [...others].length;
  return characters + Math.ceil(new TextEncoder().encode(others.replace(/\s+/g, " ").trim()).length / BYTES_PER_TOKEN);
}

/** Of all that is sent. */
export function tokensOfMessages(messages: readonly Message[]): number {
  const parts = messages.flatMap(({ content }) => (typeof content === "string" ? [{ type: "text" as const, text: content }] : content));
  return messages.length * OF_MESSAGE + parts.reduce((sum, one) => sum + (one.type === "text" ? tokensOf(one.text) : OF_IMAGE), 0);
}

/** CNY, by the tier that the input falls into; null where there is no price. */
export function costOf(tiers: Tiers, input: number, output: number): string | null {
  const tier = tiers.find((one) => input > one.input_above && (one.input_up_to === null || input <= one.input_up_to)) ?? tiers[0];
  if (!tier) return null;
  const millionths = nanos(tier.input) * BigInt(input) + nanos(tier.output) * BigInt(output);
  const unit = MILLION * SHOWN;
  return decimal(((millionths + unit - 1n) / unit) * SHOWN);
}
