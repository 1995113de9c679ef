import { paymentOf } from "@/api/topups";
import { useTexts } from "@/i18n";
import { buttonClass } from "@/ui/Button";
import { QrCode } from "@/ui/QrCode";

/** What the payer does next, as the order was told it. */
export function PaymentSteps({ id }: { id: string }) {
  const t = useTexts("finance");
  const payment = paymentOf(id);
  if (payment === null) return <p className="text-sm text-muted">{t("notHere")}</p>;
  if (payment.url)
    return (
      <div>
        <a href={payment.url} className={buttonClass("primary")}>
          {t("goPay")}
        </a>
      </div>
    );
  if (payment.qr_svg)
    return (
      <figure className="flex flex-col items-start gap-2">
        <QrCode svg={payment.qr_svg} alt={t("qrAlt")} />
        <figcaption className="text-sm">{t("scan")}</figcaption>
      </figure>
    );
  return (
    <div>
      <h2 className="mb-2 text-base">{t("instructions")}</h2>
      <p className="rounded-control bg-sunken p-4 text-sm break-words whitespace-pre-wrap">{payment.instructions}</p>
    </div>
  );
}
