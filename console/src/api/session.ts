/** Who is signed in. */

import { useQuery } from "@tanstack/react-query";
import { api, call, keepToken, type Schemas } from "@/api/client";
import { ApiError } from "@/api/errors";
import { queries } from "@/api/queries";
import { onTabs, tellTabs } from "@/lib/tabs";
import { forgetKeys, revokeKeys, shareKeys } from "@/playground/key";

export type Session = Schemas["CurrentSession"];

export const sessionKey = ["session"] as const;

/** Ask, and keep the token for what changes anything. */
export async function loadSession(): Promise<Session> {
  return keepSession(await call(() => api.GET("/api/auth/session")));
}

/** Every answer that tells of the session goes through here. */
export function keepSession(session: Session): Session {
  keepToken(session.csrf_token);
  queries.setQueryData(sessionKey, session);
  return session;
}

/** The session, as it was last heard of. */
export function useSession() {
  return useQuery({ queryKey: sessionKey, queryFn: loadSession, staleTime: 60_000 });
}

/** Somebody has signed in here: the other tabs may go on. */
export function begin(session: Session): void {
  keepSession(session);
  if (session.customer) tellTabs({ kind: "signed-in", customer: session.customer.id });
}

/**
 * Sign out, here and in the browser's other tabs: the playground's keys end, and nothing stays in memory. `leave` goes to a
 * page for everybody, once it is done.
 */
export async function signOut(leave: () => void | Promise<void>): Promise<void> {
  const customer = queries.getQueryData<Session>(sessionKey)?.customer?.id ?? "";
  try {
    await revokeKeys(customer);
    await call(() => api.DELETE("/api/auth/session"), { mayAsk: false });
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) throw error; // else it is over already
  }
  forgetKeys();
  tellTabs({ kind: "signed-out", customer });
  await leave();
  await loadSession();
  forgetData();
}

/** What was heard of the customer is forgotten. */
export function forgetData(): void {
  queries.removeQueries({ predicate: (one) => one.queryKey[0] !== sessionKey[0] });
}

/** Follow what happens in other tabs; for as long as the page is open. */
export function followTabs(): void {
  shareKeys();
  onTabs(({ kind }) => {
    if (kind === "signed-out") forgetKeys();
    if (kind === "signed-out" || kind === "signed-in") void queries.invalidateQueries({ queryKey: sessionKey });
  });
}
