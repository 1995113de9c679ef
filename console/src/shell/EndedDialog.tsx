import { forgetStored } from "@/api/session";
import { useTexts } from "@/i18n";
import { paths } from "@/paths";
import type { End } from "@/shell/RequireSession";
import { SignInForm } from "@/shell/SignInForm";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";

interface EndedDialogProps {
  end: End;
  /** Who has been in; only they may go on. */
  mobile: string;
  onClose: () => void;
}

/** A session has ended: it is begun again here, over what was typed; or one leaves, and nothing of it stays. */
export function EndedDialog({ end, mobile, onClose }: EndedDialogProps) {
  const t = useTexts("shell");
  const isOut = end === "signedOut";

  function leave(): void {
    forgetStored();
    location.assign(paths.signIn());
  }

  return (
    <Dialog isOpen isSticky={isOut} onClose={onClose} title={t(isOut ? "signedOut" : "ended")}>
      <p className="text-muted">{t("endedHint")}</p>
      <SignInForm only={mobile} onDone={() => undefined} />
      <div className="flex flex-wrap items-center justify-between gap-2 border-t border-line pt-4">
        <span className="text-sm text-muted">{t("leaveHint")}</span>
        <Button onClick={leave}>{t("leave")}</Button>
      </div>
    </Dialog>
  );
}
