import { useMutation } from "@tanstack/react-query";
import { closeTopUp } from "@/api/topups";
import { useTexts } from "@/i18n";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Problem } from "@/ui/Problem";

/** Ending an order that will not be paid, with what that means. */
export function CloseDialog({ id, isOpen, onClose }: { id: string; isOpen: boolean; onClose: () => void }) {
  const t = useTexts("finance");
  const common = useTexts("common");
  const closing = useMutation({ mutationFn: closeTopUp, onSuccess: onClose });
  return (
    <Dialog isOpen={isOpen} onClose={onClose} title={t("close")}>
      <p className="text-sm">{t("closeHint")}</p>
      {closing.isError && <Problem error={closing.error} />}
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>{common("cancel")}</Button>
        <Button tone="danger" isBusy={closing.isPending} onClick={() => closing.mutate(id)}>
          {t("close")}
        </Button>
      </div>
    </Dialog>
  );
}
