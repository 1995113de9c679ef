/** The arithmetic of a charge, done again from its counts and rates in whole numbers. */

import type { Arithmetic } from "@/api/usage";
import { decimal, nanos } from "@/lib/money";

type Line = Pick<Arithmetic["lines"][number], "quantity" | "rate" | "per">;

interface Fraction {
  over: bigint;
  under: bigint;
}

const MORE_DIGITS = 6;

/** The sum of the lines in nano-yuan, exactly. */
export function exactSum(lines: readonly Line[]): Fraction {
  return lines.reduce<Fraction>(
    (total, line) => {
      const per = BigInt(line.per);
      return { over: total.over * per + nanos(line.rate) * BigInt(line.quantity) * total.under, under: total.under * per };
    },
    { over: 0n, under: 1n },
  );
}

/** Rounded up once, to a whole nano-yuan. */
export function roundedUp({ over, under }: Fraction): string {
  return decimal((over + under - 1n) / under);
}

/** All its digits; `…` follows where they go on after the fifteenth. */
export function digits({ over, under }: Fraction): string {
  const scaled = over * 10n ** BigInt(MORE_DIGITS);
  const whole = (scaled / under).toString().padStart(9 + MORE_DIGITS + 1, "0");
  const fraction = whole.slice(-9 - MORE_DIGITS).replace(/0+$/, "").padEnd(2, "0");
  return `${whole.slice(0, -9 - MORE_DIGITS)}.${fraction}${scaled % under === 0n ? "" : "…"}`;
}

/** Whether the lines make the total, and the total with the ceiling the charge. */
export function isConsistent(arithmetic: Arithmetic): boolean {
  const total = nanos(roundedUp(exactSum(arithmetic.lines)));
  const ceiling = nanos(arithmetic.ceiling);
  const charge = total < ceiling ? total : ceiling;
  return total === nanos(arithmetic.total) && charge === nanos(arithmetic.charge);
}
