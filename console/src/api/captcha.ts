/** Proof of work, where the API asks for it before it sends a code: altcha's challenges, version 2. */

import { type Challenge, type DeriveKeyFunction, solveChallenge } from "altcha-lib";
import { api, call } from "@/api/client";

/** PBKDF2 by the browser itself; altcha's own is Node's. */
const deriveKey: DeriveKeyFunction = async (parameters, salt, password) => {
  const hash = parameters.algorithm.replace("PBKDF2/", "");
  const key = await crypto.subtle.importKey("raw", bytes(password), "PBKDF2", false, ["deriveBits"]);
  const algorithm = { name: "PBKDF2", salt: bytes(salt), iterations: parameters.cost, hash };
  return { derivedKey: new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, (parameters.keyLength ?? 32) * 8)) };
};

const bytes = (value: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(value);

/** Fetch a challenge and solve it; what is to be sent as `captcha`. */
export async function solveCaptcha(): Promise<string> {
  const challenge = (await call(() => api.GET("/api/auth/captcha"))) as unknown as Challenge;
  const solution = await solveChallenge({ challenge, deriveKey });
  if (!solution) throw new Error("the challenge has no solution");
  return btoa(JSON.stringify({ challenge, solution }));
}
