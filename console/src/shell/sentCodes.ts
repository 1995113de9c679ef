/**
 * The codes for signing in that are on their way, kept in this tab: a page that is loaded again, as phones do while one
 * reads the message, still takes them.
 */

import { endOf, type SentCode } from "@/api/codes";

interface Kept {
  mobile: string;
  sent: SentCode;
}

const PLACE = "yuanjing.sign-in.codes";
const KEPT_MAX = 5;

/** Numbers as people write them are the same number. */
function plain(mobile: string): string {
  const digits = mobile.normalize("NFKC").replace(/\D/g, "").replace(/^00/, "");
  return digits.length === 13 && digits.startsWith("86") ? digits.slice(2) : digits;
}

function open(): Kept[] {
  const all = JSON.parse(sessionStorage.getItem(PLACE) ?? "[]") as Kept[];
  return all.filter(({ sent }) => endOf(sent, Date.now()) !== "expired");
}

/** Keep one, in place of an older one for the same number. */
export function keepCode(mobile: string, sent: SentCode): void {
  const others = open().filter((one) => plain(one.mobile) !== plain(mobile));
  sessionStorage.setItem(PLACE, JSON.stringify([{ mobile, sent }, ...others].slice(0, KEPT_MAX)));
}

/** The last one, or the one of a number. */
export function keptCode(mobile?: string): Kept | null {
  return open().find((one) => mobile === undefined || plain(one.mobile) === plain(mobile)) ?? null;
}

/** Who is in needs none. */
export function forgetCodes(): void {
  sessionStorage.removeItem(PLACE);
}
