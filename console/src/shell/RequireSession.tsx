import { lazy, Suspense, useCallback, useEffect, useRef, useState } from "react";
import { Navigate, Outlet, useLocation } from "react-router";
import { onSessionEnd } from "@/api/client";
import { loadSession, type Tab, useSession, useTab } from "@/api/session";
import { useTexts } from "@/i18n";
import { onTabs } from "@/lib/tabs";
import { paths } from "@/paths";
import { loadPart } from "@/shell/loading";
import { Button } from "@/ui/Button";
import { Skeleton } from "@/ui/Card";
import { Problem } from "@/ui/Problem";

const EndedDialog = lazy(async () => ({ default: (await loadPart(() => import("@/shell/EndedDialog"))).EndedDialog }));
const OtherDialog = lazy(async () => ({ default: (await loadPart(() => import("@/shell/OtherDialog"))).OtherDialog }));

/** How a session has ended: by itself or from elsewhere, or because its customer has signed out in another tab. */
export type End = "expired" | "signedOut";

/**
 * The end of the session of who has been in: how, and the dialog's answer. Calls that were refused for it wait, and go on
 * when it has begun again.
 */
function useEnd(owner: string | null, isIn: boolean) {
  const [end, setEnd] = useState<End | null>(null);
  const waiting = useRef<((isIn: boolean) => void)[]>([]);

  const settle = useCallback((isBegun: boolean): void => {
    setEnd(null);
    for (const goOn of waiting.current.splice(0)) goOn(isBegun);
  }, []);

  useEffect(() => {
    if (owner === null) return;
    return onSessionEnd(async () => {
      if ((await loadSession()).customer?.id === owner) return true; // it has begun again, in another tab
      setEnd((now) => now ?? "expired");
      return new Promise((done) => waiting.current.push(done));
    });
  }, [owner]);

  useEffect(() => onTabs((said) => said.kind === "signed-out" && said.customer === owner && setEnd("signedOut")), [owner]);

  useEffect(() => {
    if (isIn) settle(true);
    else if (owner !== null) setEnd((now) => now ?? "expired");
  }, [isIn, owner, settle]);

  return { end, settle, show: () => setEnd("expired") };
}

/** Pages for who is signed in. A session that ends meanwhile is begun again in a dialog, over what was typed. */
export function RequireSession() {
  const t = useTexts("shell");
  const session = useSession();
  const tab = useTab();
  const place = useLocation();
  const { end, settle, show } = useEnd(tab.owner?.id ?? null, Boolean(session.data?.customer));
  const [putOff, setPutOff] = useState<Tab | null>(null);

  if (!tab.owner) {
    if (session.isError) return <Problem error={session.error} onRetry={() => void session.refetch()} />;
    if (session.isPending) return <Skeleton className="h-64 w-full" />;
    return <Navigate to={paths.signIn(place.pathname + place.search)} replace />;
  }
  const isOther = tab.now === "other";
  return (
    <>
      {isOther && putOff === tab && <Note text={t("otherTitle")} label={t("otherShow")} onShow={() => setPutOff(null)} />}
      {tab.now === "ended" && end === null && <Note text={t("ended")} label={t("signIn")} onShow={show} />}
      <div key={tab.owner.id} className={end === "signedOut" ? "invisible" : "contents"}>
        <Outlet />
      </div>
      <Suspense>
        {end !== null && !isOther && <EndedDialog end={end} mobile={tab.owner.mobile} onClose={() => settle(false)} />}
        {isOther && putOff !== tab && <OtherDialog mayStay={end !== "signedOut"} onClose={() => setPutOff(tab)} />}
      </Suspense>
    </>
  );
}

/** What the dialog has told, once it is closed. */
function Note({ text, label, onShow }: { text: string; label: string; onShow: () => void }) {
  return (
    <div role="alert" className="mb-6 flex flex-wrap items-center justify-between gap-3 rounded-card bg-warn-soft px-4 py-3 text-sm text-warn">
      <p>{text}</p>
      <Button onClick={onShow}>{label}</Button>
    </div>
  );
}
