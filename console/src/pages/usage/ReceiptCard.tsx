import { useTexts } from "@/i18n";
import { Card } from "@/ui/Card";
import { Code } from "@/ui/Code";
import { DownloadLink } from "@/ui/DownloadLink";

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
      <p className="mb-4">
        <DownloadLink href={address} tone="primary">
          {t("receiptDownload")}
        </DownloadLink>
      </p>
      <Code label={t("receiptVerify")} text={commands()} />
    </Card>
  );
}
