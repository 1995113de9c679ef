/** Codes by SMS, for whatever they are to show. */

import { solveCaptcha } from "@/api/captcha";
import { api, call, type Schemas } from "@/api/client";
import { ApiError } from "@/api/errors";
import type { paths } from "@/api/schema";

type CodeBody = paths["/api/auth/codes"]["post"]["requestBody"]["content"]["application/json"];

/** A code on its way, and when another one may be asked for. */
export type SentCode = Schemas["SentCode"] & { resendAt: number };

/** Send a code; where the API wants a proof of work first, do it. */
export async function sendCode(wanted: CodeBody): Promise<SentCode> {
  const post = async (body: CodeBody): Promise<SentCode> => {
    const sent = await call(() => api.POST("/api/auth/codes", { body }));
    return { ...sent, resendAt: Date.now() + sent.resend_after_seconds * 1000 };
  };
  try {
    return await post(wanted);
  } catch (error) {
    if (!(error instanceof ApiError && error.code === "captcha_required")) throw error;
    return post({ ...wanted, captcha: await solveCaptcha() });
  }
}
