/**
 * Amounts of money: decimal strings of CNY as the API has them, counted in whole nano-yuan, never as floating point.
 * Only this module turns them into text.
 */

const SCALE = 9;
const AMOUNT = /^(-?)(\d+)(?:\.(\d{1,9}))?$/;

/** Nano-yuan of a decimal string; throws where it is none, which would be a bug of the API. */
export function nanos(amount: string): bigint {
  const found = AMOUNT.exec(amount);
  if (!found) throw new RangeError(`not an amount: ${amount}`);
  const whole = BigInt((found[2] ?? "") + (found[3] ?? "").padEnd(SCALE, "0"));
  return found[1] ? -whole : whole;
}

/** The decimal string of nano-yuan, without zeros that say nothing. */
export function decimal(value: bigint): string {
  const digits = (value < 0n ? -value : value).toString().padStart(SCALE + 1, "0");
  const fraction = digits.slice(-SCALE).replace(/0+$/, "");
  return `${value < 0n ? "-" : ""}${digits.slice(0, -SCALE)}${fraction && "."}${fraction}`;
}

/** The sum of amounts. */
export function sum(amounts: readonly string[]): string {
  return decimal(amounts.reduce((total, one) => total + nanos(one), 0n));
}

/**
 * An amount for people: `¥1,234.56`. All digits that are not zero are shown, at least to the fen: what was paid is never
 * rounded.
 */
export function yuan(amount: string, options: { sign?: boolean } = {}): string {
  const value = nanos(amount);
  const [whole = "0", fraction = ""] = decimal(value < 0n ? -value : value).split(".");
  const sign = value < 0n ? "−" : options.sign && value > 0n ? "+" : "";
  return `${sign}¥${grouped(whole)}.${fraction.padEnd(2, "0")}`;
}

/** A round amount for people, such as one to choose: `¥1,000`, or as `yuan` writes it where it is not whole. */
export function wholeYuan(amount: string): string {
  return yuan(amount).replace(/\.00$/, "");
}

/** An amount with more digits than money has, as a product has before it is rounded: none of them is lost. */
export function exactYuan(amount: string): string {
  const found = /^(-?)(\d+)(?:\.(\d*))?(…?)$/.exec(amount);
  if (!found) throw new RangeError(`not an amount: ${amount}`);
  const [, sign, whole = "0", fraction = "", more = ""] = found;
  return `${sign ? "−" : ""}¥${grouped(whole)}.${fraction.padEnd(2, "0")}${more}`;
}

const grouped = (whole: string): string => whole.replace(/\B(?=(\d{3})+$)/g, ",");

const FEN = 10_000_000n;

/** An amount for a glance: to the fen, rounded up, so that it is never more than it says; below one fen with every digit. */
export function roundedUp(amount: string): string {
  const value = nanos(amount);
  return yuan(value < FEN ? amount : decimal(((value + FEN - 1n) / FEN) * FEN));
}

/** What somebody has typed, as the API wants it; null if it is no amount. */
export function parseYuan(typed: string): string | null {
  const text = typed.trim().replace(/^[¥￥]\s*/, "").replaceAll(",", "");
  return AMOUNT.test(text) && !text.startsWith("-") ? decimal(nanos(text)) : null;
}
