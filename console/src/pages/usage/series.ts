/** Sums by day and by something else, as the lines of a chart and the columns of its table. */

import type { DaySum } from "@/api/usage";
import { daysFrom } from "@/lib/days";
import { nanos, sum } from "@/lib/money";

export interface Series {
  id: string;
  /** Charges, one for each day. */
  charges: readonly string[];
  total: string;
}

export interface Chart {
  days: readonly string[];
  /** The largest first; what is too small for a colour of its own is `REST`. */
  series: readonly Series[];
  /** Charges of all together, one for each day. */
  sums: readonly string[];
}

export const REST = "";
export const COLOURS = 5;

/** Put sums in order: each day from the first to the last, whether or not something was used on it. */
export function chartOf(data: readonly DaySum[], split: "model" | "key", from: string, to: string): Chart {
  const days = daysFrom(from, to);
  const found = new Map<string, Map<string, string>>();
  for (const one of data) {
    const id = (split === "model" ? one.model : one.key_id) ?? REST;
    const charges = found.get(id) ?? new Map<string, string>();
    charges.set(one.day ?? "", one.charge);
    found.set(id, charges);
  }
  const all = [...found].map(([id, charges]) => seriesOf(id, days.map((day) => charges.get(day) ?? "0")));
  const ranked = all.toSorted((a, b) => compare(nanos(b.total), nanos(a.total)));
  const sums = days.map((_, n) => sum(ranked.map((one) => one.charges[n] ?? "0")));
  return { days, series: withRest(ranked, days.length), sums };
}

function withRest(ranked: readonly Series[], length: number): Series[] {
  if (ranked.length <= COLOURS + 1) return [...ranked];
  const small = ranked.slice(COLOURS);
  const charges = Array.from({ length }, (_, n) => sum(small.map((one) => one.charges[n] ?? "0")));
  return [...ranked.slice(0, COLOURS), seriesOf(REST, charges)];
}

function seriesOf(id: string, charges: readonly string[]): Series {
  return { id, charges, total: sum(charges) };
}

/** How much of a whole a part is, in percent to one digit; a part that is there is never told as nothing. */
export function shareOf(part: bigint, whole: bigint): string {
  if (whole <= 0n || part <= 0n) return "0%";
  const thousandths = (part * 1000n) / whole;
  if (thousandths === 0n) return "<0.1%";
  return `${thousandths / 10n}.${thousandths % 10n}%`.replace(".0%", "%");
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
