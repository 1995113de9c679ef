/** With what a form begins: a short video of a middling size, where the offer's own default is more. */

import { type Offer, schemaOf } from "@/playground/offers";
import { fieldsOf, isWithin } from "@/playground/schema";
import type { Typed } from "@/playground/SchemaFields";

const SECONDS = 5;
const TIER = "720p";

const lines = (tier: unknown): number => Number.parseInt(String(tier), 10);

/** What is chosen as long as nobody has chosen otherwise. */
export function thriftyOf(offer: Offer): Typed {
  const known = new Map(fieldsOf(schemaOf(offer), {}).map((field) => [field.name, field]));
  const typed: Record<string, string> = {};
  const [duration, resolution, size] = ["duration", "resolution", "size"].map((name) => known.get(name));
  if (duration && Number(duration.default) > SECONDS && isWithin(duration, SECONDS)) typed["duration"] = String(SECONDS);
  if (resolution?.enum?.includes(TIER) && lines(resolution.default) > lines(TIER)) typed["resolution"] = TIER;
  const smaller = size?.enum?.find((one) => asSize(one) === smallerSize(offer, asSize(size.default)));
  if (smaller !== undefined) typed["size"] = String(smaller);
  return typed;
}

const asSize = (value: unknown): string => String(value).replace("*", "x");

/** Of the same shape, in the tier; undefined if it is of that tier or a lower one. */
function smallerSize(offer: Offer, size: string): string | undefined {
  const sizes = offer.video?.sizes ?? {};
  for (const [tier, row] of Object.entries(sizes)) {
    const ratio = Object.keys(row).find((one) => row[one] === size);
    if (ratio !== undefined && lines(tier) > lines(TIER)) return sizes[TIER]?.[ratio];
  }
  return undefined;
}
