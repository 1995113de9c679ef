/** Who is signed in, and whose data this tab holds. */

import { useQuery } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { api, call, keepToken, type Schemas, whenSessionChanges } from "@/api/client";
import { ApiError } from "@/api/errors";
import { queries } from "@/api/queries";
import { forgetPrivate, forgetPrivateStorage } from "@/lib/privacy";
import { onTabs, tellTabs } from "@/lib/tabs";
import { forgetKeys, revokeKeys, shareKeys } from "@/playground/key";

export type Session = Schemas["CurrentSession"];
export type Customer = NonNullable<Session["customer"]>;

/** Whose tab this is, and what has become of the session meanwhile. */
export interface Tab {
  /** Who has signed in here; what is shown and typed is theirs. */
  owner: Customer | null;
  /** The owner's session goes on, has ended, or another customer has signed in, in another window of this browser. */
  now: "same" | "ended" | "other";
  other: Customer | null;
}

export const sessionKey = ["session"] as const;
const NOBODY: Tab = { owner: null, now: "same", other: null };

let tab: Tab = NOBODY;
const listeners = new Set<() => void>();

function setTab(next: Tab): void {
  tab = next;
  for (const listener of listeners) listener();
}

/** Ask, and keep the token for what changes anything. */
export async function loadSession(): Promise<Session> {
  const heard = await call(() => api.GET("/api/auth/session"));
  // Another customer's session is not taken over by itself: what the tab shows stays its owner's.
  return hear(heard) ? heard : (queries.getQueryData<Session>(sessionKey) ?? heard);
}

/** What the API says about the session; whether the tab goes on in it. */
function hear(session: Session): boolean {
  const { customer } = session;
  if (customer && tab.owner && customer.id !== tab.owner.id) {
    setTab({ ...tab, now: "other", other: customer });
    return false;
  }
  adopt(session);
  return true;
}

whenSessionChanges(hear);

function adopt(session: Session): void {
  const { customer } = session;
  const hasEnded = customer === null && tab.owner !== null;
  const isBack = customer !== null && tab.owner !== null && tab.now !== "same";
  keepToken(session.csrf_token, customer?.id ?? null);
  queries.setQueryData(sessionKey, session);
  setTab(hasEnded ? { ...tab, now: "ended", other: null } : { owner: customer, now: "same", other: null });
  if (isBack) void queries.invalidateQueries({ predicate: (one) => one.queryKey[0] !== sessionKey[0] });
}

/** Every answer that tells who has just signed in, or shown to be at hand, goes through here: the tab is theirs. */
export function keepSession(session: Session): Session {
  if (tab.owner && session.customer?.id !== tab.owner.id) forgetOwner();
  adopt(session);
  return session;
}

/** Somebody has signed in here: the other tabs may go on. */
export function begin(session: Session): void {
  keepSession(session);
  if (session.customer) tellTabs({ kind: "signed-in", customer: session.customer.id });
}

/** Nothing of the customer stays in this tab's storage. */
export function forgetStored(): void {
  forgetKeys();
  forgetPrivate();
}

/** Nothing of the customer stays in this tab. */
function forgetOwner(): void {
  forgetStored();
  setTab(NOBODY);
  queries.getMutationCache().clear();
  queries.removeQueries({ predicate: (one) => one.queryKey[0] !== sessionKey[0] });
}

/** The session, as it was last heard of. */
export function useSession() {
  return useQuery({ queryKey: sessionKey, queryFn: loadSession, staleTime: 60_000, refetchOnWindowFocus: "always" });
}

/** Whose tab this is. */
export function useTab(): Tab {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => tab,
  );
}

/** Go on as whoever is signed in now, with nothing of who was before. */
export async function goOnAsOther(): Promise<void> {
  const heard = await call(() => api.GET("/api/auth/session"));
  keepSession(heard);
}

/**
 * Sign out, here and in the browser's other tabs: the playground's keys end, and nothing stays in memory. `leave` goes to a
 * page for everybody, once it is done.
 */
export async function signOut(leave: () => void | Promise<void>): Promise<void> {
  const customer = tab.owner?.id ?? "";
  try {
    await revokeKeys(customer);
    await call(() => api.DELETE("/api/auth/session"), { mayAsk: false });
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) throw error; // else it is over already
  }
  tellTabs({ kind: "signed-out", customer });
  await leave();
  forgetOwner();
  await loadSession();
}

/** Follow what happens in other tabs; for as long as the page is open. */
export function followTabs(): void {
  shareKeys();
  onTabs(({ kind }) => {
    if (kind === "signed-out") {
      forgetKeys();
      forgetPrivateStorage();
    }
    if (kind === "signed-out" || kind === "signed-in") void queries.invalidateQueries({ queryKey: sessionKey });
  });
}
