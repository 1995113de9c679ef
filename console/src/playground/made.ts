/** Which keys the playground has made in this browser: their ids, for revoking them; the keys themselves are not here. */

import type { Book } from "@/playground/key";

export interface Made {
  id: string;
  customer: string;
  book: Book;
  expiresAt: string;
}

const PLACE = "yuanjing.playground.made";

/** Those whose time is not over, in the order in which they were made. */
function all(): Made[] {
  const found = JSON.parse(localStorage.getItem(PLACE) ?? "[]") as Made[];
  return found.filter((one) => Date.parse(one.expiresAt) > Date.now());
}

function save(made: readonly Made[]): void {
  if (made.length) localStorage.setItem(PLACE, JSON.stringify(made));
  else localStorage.removeItem(PLACE);
}

/** Note one that was just made. */
export function noteMade(made: Made): void {
  save([...all(), made]);
}

/** It is revoked. */
export function forgetMade(id: string): void {
  save(all().filter((one) => one.id !== id));
}

/** All of a customer. */
export function keysOf(customer: string): readonly string[] {
  return all()
    .filter((one) => one.customer === customer)
    .map((one) => one.id);
}

/**
 * Those that a new key replaces: its customer's older ones of the same book. Of two tabs that make one at the same time
 * the later one's stays.
 */
export function keysBefore(id: string): readonly string[] {
  const made = all();
  const place = made.findIndex((one) => one.id === id);
  const own = made[place];
  return made
    .slice(0, Math.max(place, 0))
    .filter((one) => one.customer === own?.customer && one.book === own.book)
    .map((one) => one.id);
}
