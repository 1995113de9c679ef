/** Counts and sizes, for people. Amounts of money are in money.ts. */

import i18next from "i18next";

/** A count with its thousands told apart. */
export function count(value: number): string {
  return new Intl.NumberFormat(i18next.language).format(value);
}

/** A count in few characters: 1.2M. */
export function shortCount(value: number): string {
  return new Intl.NumberFormat(i18next.language, { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

const UNITS = ["B", "KB", "MB", "GB"] as const;

/** A size of a file. */
export function bytes(value: number): string {
  let rest = value;
  let unit = 0;
  for (; rest >= 1000 && unit < UNITS.length - 1; unit += 1) rest /= 1000;
  return `${new Intl.NumberFormat(i18next.language, { maximumFractionDigits: 1 }).format(rest)} ${UNITS[unit]}`;
}

/** A time that something took. */
export function milliseconds(value: number): string {
  const seconds = new Intl.NumberFormat(i18next.language, { maximumFractionDigits: 1 }).format(value / 1000);
  return value < 1000 ? `${count(value)} ms` : `${seconds} s`;
}
