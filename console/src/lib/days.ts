/** Days of UTC+8, by which the platform adds up: `2026-11-30`. */

const HOURS_AHEAD = 8;
const DAY_MS = 86_400_000;

/** The day that it is in UTC+8. */
export function dayOf(now: number): string {
  return new Date(now + HOURS_AHEAD * 3_600_000).toISOString().slice(0, 10);
}

/** A day so many days later, or earlier. */
export function addDays(day: string, count: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + count * DAY_MS).toISOString().slice(0, 10);
}

/** Each day from the first to the last one, at most so many of the last ones. */
export function daysFrom(first: string, last: string, most = 400): string[] {
  const days: string[] = [];
  for (let day = last; day >= first && days.length < most; day = addDays(day, -1)) days.push(day);
  return days.toReversed();
}

/** What is wrong with a time from one day to another, and in which field; null is no bound. */
export interface RangeFault {
  at: "from" | "to";
  why: "order" | "year";
}

/** Years that the API knows. */
const [YEAR_MIN, YEAR_MAX] = ["1970", "9998"];

export function rangeFault(from: string | null, to: string | null): RangeFault | null {
  const isOdd = (day: string | null): boolean => day !== null && (day.slice(0, 4) < YEAR_MIN || day.slice(0, 4) > YEAR_MAX);
  if (isOdd(from)) return { at: "from", why: "year" };
  if (isOdd(to)) return { at: "to", why: "year" };
  return from !== null && to !== null && from > to ? { at: "from", why: "order" } : null;
}

/** Whether a text is a day. */
export function isDay(text: string | null): text is string {
  return text !== null && /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`));
}
