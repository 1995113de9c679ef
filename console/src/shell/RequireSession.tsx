import { lazy, Suspense, useEffect, useState } from "react";
import { Navigate, Outlet, useLocation } from "react-router";
import { onSessionEnd } from "@/api/client";
import { useSession } from "@/api/session";
import { paths } from "@/paths";
import { Skeleton } from "@/ui/Card";
import { Problem } from "@/ui/Problem";

const EndedDialog = lazy(async () => ({ default: (await import("@/shell/EndedDialog")).EndedDialog }));

/** Pages for who is signed in. A session that ends meanwhile is begun again in a dialog, over what was typed. */
export function RequireSession() {
  const session = useSession();
  const place = useLocation();
  const [hasBeenIn, setBeenIn] = useState(false);
  const [hasEnded, setEnded] = useState(false);
  const isIn = Boolean(session.data?.customer);

  useEffect(() => onSessionEnd(() => setEnded(true)), []);
  if (isIn && !hasBeenIn) setBeenIn(true);

  if (session.isError && !hasBeenIn) return <Problem error={session.error} onRetry={() => void session.refetch()} />;
  if (session.isPending) return <Skeleton className="h-64 w-full" />;
  if (!isIn && !hasBeenIn) return <Navigate to={paths.signIn(place.pathname + place.search)} replace />;
  return (
    <>
      <Outlet />
      {hasEnded && (
        <Suspense>
          <EndedDialog onClose={() => setEnded(false)} />
        </Suspense>
      )}
    </>
  );
}
