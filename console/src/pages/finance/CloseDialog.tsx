import { closeTopUp } from "@/api/topups";
import { useTexts } from "@/i18n";
import { AskDialog } from "@/ui/AskDialog";

/** Ending an order that will not be paid, with what that means. */
export function CloseDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const t = useTexts("finance");
  return (
    <AskDialog title={t("close")} label={t("close")} work={(signal) => closeTopUp(id, signal)} onClose={onClose}>
      <p className="text-sm">{t("closeHint")}</p>
    </AskDialog>
  );
}
