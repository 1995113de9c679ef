/**
 * Times: RFC 3339 in UTC from the API, shown in UTC+8, by whose days and months the platform adds up: a record is on the
 * same day as in its chart and its statement. Where the browser's clock is another one, the zone is named. Only this
 * module turns times into text.
 */

import i18next from "i18next";

const ZONE = "Asia/Shanghai";
const MINUTES_BEHIND = -480;

const formats = new Map<string, Intl.DateTimeFormat>();

/** Made once for each language: making one takes longer than using it. */
function format(options: Intl.DateTimeFormatOptions, at: Date): string {
  const name = `${i18next.language} ${JSON.stringify(options)}`;
  let found = formats.get(name);
  if (!found) formats.set(name, (found = new Intl.DateTimeFormat(i18next.language, options)));
  return found.format(at);
}

function inZone(options: Intl.DateTimeFormatOptions, text: string): string {
  const at = new Date(text);
  const shown = format({ ...options, timeZone: ZONE }, at);
  return at.getTimezoneOffset() === MINUTES_BEHIND ? shown : `${shown} UTC+8`;
}

/** Date and time to the minute. */
export function moment(text: string): string {
  return inZone({ dateStyle: "medium", timeStyle: "short" }, text);
}

/** Date and time to the second. */
export function exactMoment(text: string): string {
  return inZone({ dateStyle: "medium", timeStyle: "medium" }, text);
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
