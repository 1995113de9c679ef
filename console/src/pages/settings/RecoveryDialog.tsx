import { useTexts } from "@/i18n";
import { Button, buttonClass } from "@/ui/Button";
import { CopyButton } from "@/ui/CopyButton";
import { Dialog } from "@/ui/Dialog";

/** New recovery codes, this once. */
export function RecoveryDialog({ codes, onClose }: { codes: readonly string[] | null; onClose: () => void }) {
  const t = useTexts("settings");
  if (codes === null) return null;
  const text = `${codes.join("\n")}\n`;
  return (
    <Dialog isOpen isSticky onClose={onClose} title={t("recovery")}>
      <p className="rounded-card bg-warn-soft px-4 py-3 text-sm text-warn">{t("recoveryOnce")}</p>
      <ul data-testid="recovery-codes" className="grid grid-cols-1 gap-x-6 gap-y-1 rounded-card border border-line bg-sunken p-4 font-mono text-sm sm:grid-cols-2">
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
      <div className="flex flex-wrap gap-2">
        <CopyButton text={text} label={t("copyAll")} tone="primary" />
        <a href={`data:text/plain;charset=utf-8,${encodeURIComponent(text)}`} download="yuanjing-recovery-codes.txt" className={buttonClass()}>
          {t("download")}
        </a>
        <Button className="ml-auto" onClick={onClose}>
          {t("kept")}
        </Button>
      </div>
    </Dialog>
  );
}
