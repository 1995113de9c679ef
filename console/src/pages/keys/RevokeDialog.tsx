import { useMutation } from "@tanstack/react-query";
import { type Key, revokeKey } from "@/api/keys";
import { useTexts } from "@/i18n";
import { ago } from "@/lib/time";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Problem } from "@/ui/Problem";

/** Revoking a key, with what that means. */
export function RevokeDialog({ of: key, onClose }: { of: Key | null; onClose: () => void }) {
  const t = useTexts("keys");
  const common = useTexts("common");
  const revoking = useMutation({ mutationFn: revokeKey, onSuccess: onClose });
  if (key === null) return null;
  return (
    <Dialog isOpen onClose={onClose} title={t("revokeTitle", { name: key.name || t("unnamed") })}>
      <ul className="list-disc space-y-1.5 pl-5 text-sm">
        <li>{t("revokeGone")}</li>
        <li>{t("revokeRunning")}</li>
        <li>{t("revokeKept")}</li>
      </ul>
      {key.last_used_at !== null && <p className="text-sm text-warn">{t("revokeLastUse", { when: ago(key.last_used_at) })}</p>}
      {revoking.isError && <Problem error={revoking.error} />}
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>{common("cancel")}</Button>
        <Button tone="danger" isBusy={revoking.isPending} onClick={() => revoking.mutate(key.id)}>
          {t("revoke")}
        </Button>
      </div>
    </Dialog>
  );
}
