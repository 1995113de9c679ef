import { useEffect } from "react";
import { useBlocker } from "react-router";
import { useTexts } from "@/i18n";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";

/** Leaving a page on which something is typed and not saved is asked about; the browser asks before the tab is closed. */
export function Unsaved({ isDirty }: { isDirty: boolean }) {
  const t = useTexts("common");
  const blocker = useBlocker(({ currentLocation, nextLocation }) => isDirty && currentLocation.pathname !== nextLocation.pathname);
  useEffect(() => {
    if (!isDirty) return;
    const ask = (event: Event) => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, [isDirty]);
  if (blocker.state !== "blocked") return null;
  return (
    <Dialog isOpen onClose={blocker.reset} title={t("unsavedTitle")}>
      <p className="text-sm">{t("unsavedHint")}</p>
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={blocker.reset}>{t("stay")}</Button>
        <Button tone="danger" onClick={blocker.proceed}>
          {t("leave")}
        </Button>
      </div>
    </Dialog>
  );
}
