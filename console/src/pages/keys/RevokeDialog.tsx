import { type Key, revokeKey } from "@/api/keys";
import { useTexts } from "@/i18n";
import { ago } from "@/lib/time";
import { AskDialog } from "@/ui/AskDialog";

/** Revoking a key, with what that means. */
export function RevokeDialog({ of: key, onClose }: { of: Key | null; onClose: () => void }) {
  const t = useTexts("keys");
  if (key === null) return null;
  return (
    <AskDialog
      title={t("revokeTitle", { name: key.name || t("unnamed") })}
      label={t("revoke")}
      work={(signal) => revokeKey(key.id, signal)}
      onClose={onClose}
    >
      <ul className="list-disc space-y-1.5 pl-5 text-sm">
        <li>{t("revokeGone")}</li>
        <li>{t("revokeRunning")}</li>
        <li>{t("revokeKept")}</li>
      </ul>
      {key.last_used_at !== null && <p className="text-sm text-warn">{t("revokeLastUse", { when: ago(key.last_used_at) })}</p>}
    </AskDialog>
  );
}
