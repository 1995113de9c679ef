import { lazy, Suspense, useCallback, useEffect, useRef, useState } from "react";
import { Navigate, Outlet, useLocation } from "react-router";
import { onSessionEnd } from "@/api/client";
import { loadSession, type Session, useSession } from "@/api/session";
import { onTabs } from "@/lib/tabs";
import { paths } from "@/paths";
import { loadPart } from "@/shell/loading";
import { Skeleton } from "@/ui/Card";
import { Problem } from "@/ui/Problem";

const EndedDialog = lazy(async () => ({ default: (await loadPart(() => import("@/shell/EndedDialog"))).EndedDialog }));

type Customer = NonNullable<Session["customer"]>;

/** How a session has ended: by itself or from elsewhere, or because its customer has signed out in another tab. */
export type End = "expired" | "signedOut";

/**
 * The end of the session of who has been in: how, and the dialog's answer. Calls that were refused for it wait, and go on
 * when it has begun again.
 */
function useEnd(owner: Customer | null, isIn: boolean) {
  const [end, setEnd] = useState<End | null>(null);
  const waiting = useRef<((isIn: boolean) => void)[]>([]);

  const settle = useCallback((isBegun: boolean): void => {
    setEnd(null);
    for (const goOn of waiting.current.splice(0)) goOn(isBegun);
  }, []);

  useEffect(() => {
    if (owner === null) return;
    return onSessionEnd(async () => {
      if ((await loadSession()).customer?.id === owner.id) return true; // it has begun again, in another tab
      setEnd((now) => now ?? "expired");
      return new Promise((done) => waiting.current.push(done));
    });
  }, [owner]);

  useEffect(
    () => onTabs((said) => said.kind === "signed-out" && said.customer === owner?.id && setEnd("signedOut")),
    [owner],
  );

  useEffect(() => {
    if (isIn) settle(true);
    else if (owner !== null) setEnd((now) => now ?? "expired");
  }, [isIn, owner, settle]);

  return { end, settle };
}

/** Pages for who is signed in. A session that ends meanwhile is begun again in a dialog, over what was typed. */
export function RequireSession() {
  const session = useSession();
  const place = useLocation();
  const [owner, setOwner] = useState<Customer | null>(null);
  const customer = session.data?.customer ?? null;
  const isStranger = owner !== null && customer !== null && customer.id !== owner.id;
  const { end, settle } = useEnd(owner, customer !== null && !isStranger);

  if (customer !== null && !isStranger && customer.mobile !== owner?.mobile) setOwner(customer);
  useEffect(() => {
    if (isStranger) location.reload(); // somebody else is in by now: nothing of before may be left
  }, [isStranger]);

  if (isStranger) return <Skeleton className="h-64 w-full" />;
  if (session.isError && owner === null) return <Problem error={session.error} onRetry={() => void session.refetch()} />;
  if (session.isPending) return <Skeleton className="h-64 w-full" />;
  if (customer === null && owner === null) return <Navigate to={paths.signIn(place.pathname + place.search)} replace />;
  return (
    <>
      <div className={end === "signedOut" ? "invisible" : "contents"}>
        <Outlet />
      </div>
      {end !== null && owner !== null && (
        <Suspense>
          <EndedDialog end={end} mobile={owner.mobile} onClose={() => settle(false)} />
        </Suspense>
      )}
    </>
  );
}
