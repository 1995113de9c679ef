import { Fragment, lazy, Suspense, useState } from "react";
import { Navigate, Outlet, useLocation } from "react-router";
import { type Tab, useSession, useTab } from "@/api/session";
import { useTexts } from "@/i18n";
import { paths } from "@/paths";
import { Button } from "@/ui/Button";
import { Skeleton } from "@/ui/Card";
import { Problem } from "@/ui/Problem";

const EndedDialog = lazy(async () => ({ default: (await import("@/shell/EndedDialog")).EndedDialog }));
const OtherDialog = lazy(async () => ({ default: (await import("@/shell/OtherDialog")).OtherDialog }));

/** Pages for who is signed in. A session that ends meanwhile is begun again in a dialog, over what was typed. */
export function RequireSession() {
  const t = useTexts("shell");
  const session = useSession();
  const tab = useTab();
  const place = useLocation();
  const [hasBeenIn, setBeenIn] = useState(false);
  const [putOff, setPutOff] = useState<Tab | null>(null);
  if (tab.owner && !hasBeenIn) setBeenIn(true);

  if (!tab.owner) {
    if (hasBeenIn) return <Navigate to={paths.home()} replace />; // signed out
    if (session.isError) return <Problem error={session.error} onRetry={() => void session.refetch()} />;
    if (session.isPending) return <Skeleton className="h-64 w-full" />;
    return <Navigate to={paths.signIn(place.pathname + place.search)} replace />;
  }
  const close = () => setPutOff(tab);
  return (
    <>
      {tab.now !== "same" && putOff === tab && (
        <div role="alert" className="mb-6 flex flex-wrap items-center justify-between gap-3 rounded-card bg-warn-soft px-4 py-3 text-sm text-warn">
          <p>{tab.now === "ended" ? t("ended") : t("otherTitle")}</p>
          <Button onClick={() => setPutOff(null)}>{tab.now === "ended" ? t("signIn") : t("otherShow")}</Button>
        </div>
      )}
      <Fragment key={tab.owner.id}>
        <Outlet />
      </Fragment>
      {putOff !== tab && (
        <Suspense>
          {tab.now === "ended" && <EndedDialog onClose={close} />}
          {tab.now === "other" && <OtherDialog onClose={close} />}
        </Suspense>
      )}
    </>
  );
}
