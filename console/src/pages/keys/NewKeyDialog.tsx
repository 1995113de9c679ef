import type { NewKey } from "@/api/keys";
import { useTexts } from "@/i18n";
import { Button } from "@/ui/Button";
import { Code } from "@/ui/Code";
import { CopyButton } from "@/ui/CopyButton";
import { Dialog } from "@/ui/Dialog";

const curl = (key: string, hello: string): string => `curl ${location.origin}/v1/chat/completions \\
  -H "Authorization: Bearer ${key}" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "qwen3-max", "messages": [{"role": "user", "content": "${hello}"}]}'`;

/** The key, this once. */
export function NewKeyDialog({ made, onClose }: { made: NewKey | null; onClose: () => void }) {
  const t = useTexts("keys");
  if (made === null) return null;
  return (
    <Dialog isOpen isSticky onClose={onClose} title={t("madeTitle")}>
      <p className="rounded-card bg-warn-soft px-4 py-3 text-sm text-warn">{t("madeHint")}</p>
      <code data-testid="new-key" className="rounded-card border border-line bg-sunken p-4 font-mono text-sm break-all select-all">
        {made.key}
      </code>
      <CopyButton text={made.key} label={t("copyKey")} tone="primary" />
      <Code label={t("tryIt")} text={curl(made.key, t("hello"))} />
      <div className="flex justify-end">
        <Button onClick={onClose}>{t("saved")}</Button>
      </div>
    </Dialog>
  );
}
