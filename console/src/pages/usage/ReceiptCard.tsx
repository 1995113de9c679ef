import { useTexts } from "@/i18n";
import { buttonClass } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Code } from "@/ui/Code";

const commands = (): string => `curl -o keys.json ${location.origin}/.well-known/yuanjing-receipts.json
yuanjing receipt verify yuanjing-receipt.json --public-key keys.json`;

/** The signed receipt of a record or a task, and how to check it without us. */
export function ReceiptCard({ address }: { address: string }) {
  const t = useTexts("usage");
  return (
    <Card className="min-w-0">
      <h2>{t("receipt")}</h2>
      <p className="mt-1 mb-4 text-sm text-muted">
        {t("receiptLead")} {t("receiptAsIs")}
      </p>
      <a href={address} download="yuanjing-receipt.json" className={buttonClass("primary", "mb-4")}>
        {t("receiptDownload")}
      </a>
      <Code label={t("receiptVerify")} text={commands()} />
    </Card>
  );
}
