import { useEffect, useState } from "react";
import { useLocation, useNavigate, useNavigation } from "react-router";
import { useTexts } from "@/i18n";
import { reload, useWaiting } from "@/shell/loading";
import { Button } from "@/ui/Button";

const SHOWN_MS = 300;

/** The way to another page, where that takes long or cannot be gone now: this one stays as it is. */
export function PageWait() {
  const navigation = useNavigation();
  const waiting = useWaiting();
  const [isSlow, setSlow] = useState(false);
  const target = navigation.location;
  const isGoing = target !== undefined;

  useEffect(() => {
    if (!isGoing) return;
    const timer = setTimeout(() => setSlow(true), SHOWN_MS);
    return () => {
      clearTimeout(timer);
      setSlow(false);
    };
  }, [isGoing]);

  if (!isGoing) return null;
  if (waiting) return <Held waiting={waiting} to={target.pathname + target.search} />;
  return isSlow ? <Bar /> : null;
}

function Bar() {
  const t = useTexts("common");
  return <progress aria-label={t("loading")} className="progress-bar absolute inset-x-0 bottom-0 h-0.5 w-full" />;
}

function Held({ waiting, to }: { waiting: NonNullable<ReturnType<typeof useWaiting>>; to: string }) {
  const t = useTexts("shell");
  const common = useTexts("common");
  const navigate = useNavigate();
  const { pathname, search } = useLocation();
  const isOutdated = waiting.trouble === "outdated";
  return (
    <div role="alert" className="border-t border-line bg-warn-soft">
      <div className="mx-auto flex w-full max-w-frame flex-wrap items-center justify-between gap-2 px-4 py-2 text-sm">
        <p className="text-warn">
          <strong>{t(waiting.trouble)}</strong> {t(isOutdated ? "outdatedStay" : "offlineStay")}
        </p>
        <div className="flex flex-wrap gap-2">
          <Button tone="quiet" onClick={() => void navigate(pathname + search, { replace: true })}>
            {t("stay")}
          </Button>
          <Button onClick={() => (isOutdated ? void reload(to) : waiting.retry())}>{isOutdated ? t("reload") : common("retry")}</Button>
        </div>
      </div>
    </div>
  );
}
