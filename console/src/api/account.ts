/** The customer's own settings: profile, how one signs in, and where one is signed in. */

import { useQuery } from "@tanstack/react-query";
import { api, call, type Schemas } from "@/api/client";
import { queries } from "@/api/queries";
import type { paths } from "@/api/schema";
import { keepSession, sessionKey } from "@/api/session";

export type Profile = Schemas["ProfileView"];
export type OpenSession = Schemas["SessionView"];
export type NewTotp = Schemas["NewTotpView"];
export type ProfilePatch = NonNullable<paths["/api/profile"]["patch"]["requestBody"]>["content"]["application/json"];
export type Proof = paths["/api/auth/confirmations"]["post"]["requestBody"]["content"]["application/json"];
type MobileBody = paths["/api/auth/mobile"]["put"]["requestBody"]["content"]["application/json"];

const ACCOUNT = "account";

export function useProfile() {
  return useQuery({ queryKey: [ACCOUNT, "profile"], queryFn: () => call(() => api.GET("/api/profile")) });
}

export function useOpenSessions() {
  return useQuery({
    queryKey: [ACCOUNT, "sessions"],
    queryFn: async () => (await call(() => api.GET("/api/auth/sessions"))).data,
  });
}

/**
 * What one signs in with, or where, is another thing now; the session tells the name and the factors too. It is asked for
 * beside, and not waited for: what was done is done, and what is told only once must not hang on another answer.
 */
function changed(): void {
  void queries.invalidateQueries({ queryKey: sessionKey });
  void queries.invalidateQueries({ queryKey: [ACCOUNT] });
}

export async function changeProfile(body: ProfilePatch): Promise<void> {
  queries.setQueryData([ACCOUNT, "profile"], await call(() => api.PATCH("/api/profile", { body })));
  void queries.invalidateQueries({ queryKey: sessionKey });
}

/** Show that it is you: for some minutes one may then change how one signs in. */
export async function confirmSelf(body: Proof): Promise<void> {
  keepSession(await call(() => api.POST("/api/auth/confirmations", { body })));
}

export async function changeMobile(body: MobileBody): Promise<void> {
  keepSession(await call(() => api.PUT("/api/auth/mobile", { body })));
  changed();
}

export async function setPassword(password: string): Promise<void> {
  await call(() => api.PUT("/api/auth/password", { body: { password } }));
  changed();
}

export async function removePassword(signal: AbortSignal): Promise<void> {
  await call(() => api.DELETE("/api/auth/password", { signal }));
  changed();
}

export const beginTotp = (): Promise<NewTotp> => call(() => api.POST("/api/auth/totp"));

/** Confirm a new authenticator; the recovery codes, this once. */
export async function confirmTotp(totp: string): Promise<readonly string[]> {
  const { recovery_codes: codes } = await call(() => api.PUT("/api/auth/totp", { body: { totp } }));
  changed();
  return codes;
}

export async function removeTotp(signal: AbortSignal): Promise<void> {
  await call(() => api.DELETE("/api/auth/totp", { signal }));
  changed();
}

/** New recovery codes, this once. */
export async function renewRecoveryCodes(): Promise<readonly string[]> {
  const { recovery_codes: codes } = await call(() => api.POST("/api/auth/recovery-codes"));
  changed();
  return codes;
}

export async function endSession(id: string, signal: AbortSignal): Promise<void> {
  await call(() => api.DELETE("/api/auth/sessions/{session_id}", { params: { path: { session_id: id } }, signal }));
  changed();
}

export async function endOtherSessions(signal: AbortSignal): Promise<void> {
  await call(() => api.DELETE("/api/auth/sessions", { signal }));
  changed();
}
