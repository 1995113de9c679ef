import { expect, it } from "vitest";
import { pbkdf2 } from "@/lib/pbkdf2";

const bytes = (length: number, seed: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length }, (_, place) => (place * 31 + seed * 17) % 256);

/** What browsers have, where they give it. */
async function byBrowser(password: Uint8Array<ArrayBuffer>, salt: Uint8Array<ArrayBuffer>, iterations: number, length: number) {
  const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
  const bits = await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations }, key, length * 8);
  return new Uint8Array(bits);
}

// Lengths around those of blocks: 55 and 56 bytes end in one or in two.
it.each([
  [1, 1, 1, 32],
  [20, 16, 1000, 32],
  [64, 51, 3, 32],
  [65, 52, 2, 33],
  [130, 119, 7, 100],
  [20, 120, 2, 5],
])("derives what browsers derive: password %i, salt %i, %i times, %i bytes", async (password, salt, iterations, length) => {
  const [secret, grain] = [bytes(password, 1), bytes(salt, 2)];
  expect(pbkdf2(secret, grain, iterations, length)).toEqual(await byBrowser(secret, grain, iterations, length));
});
