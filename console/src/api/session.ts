/** Who is signed in. */

import { useQuery } from "@tanstack/react-query";
import { api, call, keepToken, type Schemas } from "@/api/client";
import { queries } from "@/api/queries";
import { forgetPrivate } from "@/lib/privacy";
import { forgetKeys } from "@/playground/key";

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

/** Sign out; nothing of the customer stays in memory. */
export async function signOut(): Promise<void> {
  await call(() => api.DELETE("/api/auth/session"));
  forgetKeys();
  forgetPrivate();
  await loadSession();
  queries.removeQueries({ predicate: (one) => one.queryKey[0] !== sessionKey[0] });
}
