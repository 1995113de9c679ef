/** Counts and sizes, for people. Amounts of money are in money.ts. */

import i18next from "i18next";

const formats = new Map<string, Intl.NumberFormat>();

/** To make a format takes longer than to use it a hundred times. */
function format(value: number, options: Intl.NumberFormatOptions = {}): string {
  const name = `${i18next.language} ${JSON.stringify(options)}`;
  const made = formats.get(name) ?? new Intl.NumberFormat(i18next.language, options);
  formats.set(name, made);
  return made.format(value);
}

/** A count with its thousands told apart. */
export function count(value: number): string {
  return format(value);
}

/** A count in few characters: 1.2M. */
export function shortCount(value: number): string {
  return format(value, { notation: "compact", maximumFractionDigits: 1 });
}

const UNITS = ["B", "KB", "MB", "GB"] as const;

/** A size of a file, in the units of 1024 in which providers and systems give their limits. */
export function bytes(value: number): string {
  let rest = value;
  let unit = 0;
  for (; rest >= 1024 && unit < UNITS.length - 1; unit += 1) rest /= 1024;
  return `${format(rest, { maximumFractionDigits: 1 })} ${UNITS[unit]}`;
}

/** A time that something took. */
export function milliseconds(value: number): string {
  const seconds = format(value / 1000, { maximumFractionDigits: 1 });
  return value < 1000 ? `${count(value)} ms` : `${seconds} s`;
}
