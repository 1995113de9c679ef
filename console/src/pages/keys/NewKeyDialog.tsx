import type { NewKey } from "@/api/keys";
import { useModels } from "@/api/models";
import { useLanguage, useTexts } from "@/i18n";
import { firstRequest } from "@/pages/keys/firstRequest";
import { codeOf, KEY } from "@/playground/code";
import { Button } from "@/ui/Button";
import { Code } from "@/ui/Code";
import { CopyButton } from "@/ui/CopyButton";
import { Dialog } from "@/ui/Dialog";

/** The key, this once. */
export function NewKeyDialog({ made, onClose }: { made: NewKey | null; onClose: () => void }) {
  const t = useTexts("keys");
  const models = useModels();
  const language = useLanguage();
  if (made === null) return null;
  const request = firstRequest(models.data ?? [], made.models, language);
  return (
    <Dialog isOpen isSticky onClose={onClose} title={t("madeTitle")}>
      <p className="rounded-card bg-warn-soft px-4 py-3 text-sm text-warn">{t("madeHint")}</p>
      <code data-testid="new-key" className="rounded-card border border-line bg-sunken p-4 font-mono text-sm break-all select-all">
        {made.key}
      </code>
      <CopyButton text={made.key} label={t("copyKey")} tone="primary" />
      {request && <Code label={t("tryIt")} text={codeOf(request, "curl", location.origin).replace(`$${KEY}`, made.key)} />}
      <div className="flex justify-end">
        <Button onClick={onClose}>{t("saved")}</Button>
      </div>
    </Dialog>
  );
}
