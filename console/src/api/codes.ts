/** Codes by SMS, for whatever they are to show. */

import { solveCaptcha } from "@/api/captcha";
import { api, call, type Schemas } from "@/api/client";
import { ApiError } from "@/api/errors";
import type { paths } from "@/api/schema";

type CodeBody = paths["/api/auth/codes"]["post"]["requestBody"]["content"]["application/json"];

/** A code on its way: when another one may be asked for, and how often it was mistyped here. */
export type SentCode = Schemas["SentCode"] & { resendAt: number; misses: number };

/** Send a code; where the API wants a proof of work first, tell so, and do it. */
export async function sendCode(wanted: CodeBody, onWork: () => void = () => undefined): Promise<SentCode> {
  const post = async (body: CodeBody): Promise<SentCode> => {
    const sent = await call(() => api.POST("/api/auth/codes", { body }));
    return { ...sent, resendAt: Date.now() + sent.resend_after_seconds * 1000, misses: 0 };
  };
  try {
    return await post(wanted);
  } catch (error) {
    if (!(error instanceof ApiError && error.code === "captcha_required")) throw error;
    onWork();
    return post({ ...wanted, captcha: await solveCaptcha() });
  }
}

/** The code after this error: a wrong one counts. */
export function afterError(sent: SentCode | null, error: unknown): SentCode | null {
  if (sent === null || !(error instanceof ApiError && error.code === "wrong_code")) return sent;
  return { ...sent, misses: sent.misses + 1 };
}

/** Why the code is worth nothing any more; null while it may be. */
export function endOf(sent: SentCode, now: number): "mistyped" | "expired" | null {
  if (sent.misses >= sent.attempts_max) return "mistyped";
  return now >= Date.parse(sent.expires_at) ? "expired" : null;
}
