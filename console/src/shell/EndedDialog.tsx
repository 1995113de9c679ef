import { useTexts } from "@/i18n";
import { SignInForm } from "@/shell/SignInForm";
import { Dialog } from "@/ui/Dialog";

/** A session has ended: it is begun again here, over what was typed. */
export function EndedDialog({ onClose }: { onClose: () => void }) {
  const t = useTexts("shell");
  return (
    <Dialog isOpen onClose={onClose} title={t("ended")}>
      <p className="text-muted">{t("endedHint")}</p>
      <SignInForm onDone={onClose} />
    </Dialog>
  );
}
