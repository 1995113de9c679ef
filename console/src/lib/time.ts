/** Times: RFC 3339 in UTC from the API, shown in the browser's own zone. Only this module turns them into text. */

import i18next from "i18next";

const formats = new Map<string, Intl.DateTimeFormat>();

/** To make a format takes longer than to use it a hundred times. */
function format(options: Intl.DateTimeFormatOptions, at: Date): string {
  const name = `${i18next.language} ${JSON.stringify(options)}`;
  const made = formats.get(name) ?? new Intl.DateTimeFormat(i18next.language, options);
  formats.set(name, made);
  return made.format(at);
}

/** Date and time to the minute. */
export function moment(text: string): string {
  return format({ dateStyle: "medium", timeStyle: "short" }, new Date(text));
}

/** Date and time to the second. */
export function exactMoment(text: string): string {
  return format({ dateStyle: "medium", timeStyle: "medium" }, new Date(text));
}

/** A day, `2026-11-30`, as a date that belongs to no zone. */
export function day(text: string): string {
  return format({ dateStyle: "medium", timeZone: "UTC" }, new Date(`${text}T00:00:00Z`));
}

/** A day without its year, for an axis. */
export function shortDay(text: string): string {
  return format({ month: "numeric", day: "numeric", timeZone: "UTC" }, new Date(`${text}T00:00:00Z`));
}

/** A month, `2026-11`. */
export function month(text: string): string {
  return format({ year: "numeric", month: "long", timeZone: "UTC" }, new Date(`${text}-01T00:00:00Z`));
}

const STEPS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** How long ago, or in how long, roughly. */
export function ago(text: string, now: number = Date.now()): string {
  const seconds = Math.round((new Date(text).getTime() - now) / 1000);
  const relative = new Intl.RelativeTimeFormat(i18next.language, { numeric: "auto" });
  for (const [unit, size] of STEPS)
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  return relative.format(seconds, "second");
}
