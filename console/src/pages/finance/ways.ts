/** How money can be paid in, as choices of a form, and what may be typed as an amount. */

import type { Method, Way } from "@/api/topups";
import { nanos, parseYuan } from "@/lib/money";

export interface Choice {
  method: Method;
  way: Way;
}

const FEN = 10_000_000n;
const PRESETS = ["10", "50", "100", "500", "1000"];

/** One for each method and way; of the pages only that which suits the device, where there are both. */
export function choicesOf(methods: readonly Method[], isPhone: boolean): Choice[] {
  return methods.flatMap((method) => {
    const hasBoth = method.ways.includes("page") && method.ways.includes("wap");
    const unfit: Way = isPhone ? "page" : "wap";
    const ways = method.ways.filter((way) => !(hasBoth && way === unfit));
    const first: Way = isPhone ? "wap" : "page";
    return ways.toSorted((a, b) => Number(b === first) - Number(a === first)).map((way) => ({ method, way }));
  });
}

/** The amount as the API wants it; null if it is none, has parts of a fen, or is too small or too large. */
export function amountOf(typed: string, method: Method): string | null {
  const amount = parseYuan(typed);
  if (amount === null || nanos(amount) % FEN !== 0n) return null;
  return isWithin(amount, method) ? amount : null;
}

/** Amounts to press, of those that the method takes. */
export function presetsOf(method: Method): string[] {
  return PRESETS.filter((amount) => isWithin(amount, method));
}

function isWithin(amount: string, method: Method): boolean {
  return nanos(amount) >= nanos(method.amount_min) && nanos(amount) <= nanos(method.amount_max);
}
