/** Proof of work, where the API asks for it before it sends a code: altcha's challenges, version 2. */

import { type Challenge, type DeriveKeyFunction, solveChallenge } from "altcha-lib";
import { api, call } from "@/api/client";
import { pbkdf2 } from "@/lib/pbkdf2";

const OWN = "PBKDF2/SHA-256";
const SLICE_MS = 30;

const bytes = (value: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(value);

/** PBKDF2 by the browser itself; altcha's own is Node's. */
const byBrowser: DeriveKeyFunction = async (parameters, salt, password) => {
  const hash = parameters.algorithm.replace("PBKDF2/", "");
  const key = await crypto.subtle.importKey("raw", bytes(password), "PBKDF2", false, ["deriveBits"]);
  const algorithm = { name: "PBKDF2", salt: bytes(salt), iterations: parameters.cost, hash };
  return { derivedKey: new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, (parameters.keyLength ?? 32) * 8)) };
};

/** The same by ourselves, over plain HTTP, where browsers do not do it; the page can be used meanwhile. */
function byOurselves(): DeriveKeyFunction {
  let rested = performance.now();
  return async ({ algorithm, cost, keyLength }, salt, password) => {
    if (algorithm !== OWN) throw new Error(`no way to derive ${algorithm} without TLS`);
    if (performance.now() - rested > SLICE_MS) {
      await new Promise((done) => setTimeout(done));
      rested = performance.now();
    }
    return { derivedKey: pbkdf2(password, salt, cost, keyLength ?? 32) };
  };
}

/** Whether the browser gives its cryptography to this page: over TLS, and on the machine itself. */
function hasCryptography(): boolean {
  return (crypto as Partial<Crypto>).subtle !== undefined;
}

/** What is to be sent as `captcha` for a challenge. */
export async function solve(challenge: Challenge): Promise<string> {
  const solution = await solveChallenge({ challenge, deriveKey: hasCryptography() ? byBrowser : byOurselves() });
  if (!solution) throw new Error("the challenge has no solution");
  return btoa(JSON.stringify({ challenge, solution }));
}

/** Fetch a challenge and solve it. */
export async function solveCaptcha(): Promise<string> {
  return solve((await call(() => api.GET("/api/auth/captcha"))) as unknown as Challenge);
}
