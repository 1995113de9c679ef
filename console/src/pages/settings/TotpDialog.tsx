import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useEffect, useState } from "react";
import { NotConfirmedError } from "@/api/errors";
import { beginTotp, confirmTotp, type NewTotp } from "@/api/account";
import { useTexts } from "@/i18n";
import { digitsOf } from "@/lib/digits";
import { Button } from "@/ui/Button";
import { Skeleton } from "@/ui/Card";
import { CopyButton } from "@/ui/CopyButton";
import { Dialog } from "@/ui/Dialog";
import { TextField } from "@/ui/Field";
import { Problem, problemOf } from "@/ui/Problem";
import { QrCode } from "@/ui/QrCode";

interface TotpDialogProps {
  confirmed: <T>(work: () => Promise<T>) => Promise<T>;
  onCodes: (codes: readonly string[]) => void;
  onClose: () => void;
}

/** A new authenticator: its secret, and the proof that it was taken over. */
export function TotpDialog({ confirmed, onCodes, onClose }: TotpDialogProps) {
  const t = useTexts("settings");
  const { mutate: begin, data, error } = useMutation({
    mutationFn: () => confirmed(beginTotp),
    onError: (why) => why instanceof NotConfirmedError && onClose(),
  });
  useEffect(() => begin(), [begin]);

  return (
    <Dialog isOpen isSticky onClose={onClose} title={t("setTotp")}>
      {error ? (
        <Problem error={error} onRetry={() => begin()} />
      ) : data ? (
        <NewSecret of={data} confirmed={confirmed} onCodes={onCodes} onClose={onClose} />
      ) : (
        <Skeleton className="h-56 w-full" />
      )}
    </Dialog>
  );
}

function NewSecret({ of: made, confirmed, onCodes, onClose }: TotpDialogProps & { of: NewTotp }) {
  const t = useTexts("settings");
  const common = useTexts("common");
  const [digits, setDigits] = useState("");
  const turnOn = useMutation({
    mutationFn: () => confirmed(() => confirmTotp(digits)),
    onSuccess: (codes) => {
      onClose();
      onCodes(codes);
    },
  });
  const atField = problemOf(turnOn.error, "totp");

  function submit(event: FormEvent): void {
    event.preventDefault();
    turnOn.mutate();
  }

  return (
    <form noValidate onSubmit={submit} className="flex flex-col gap-4">
      <p className="text-sm text-muted">{t("scanTotp")}</p>
      <QrCode svg={made.qr_svg} alt={t("totpAlt")} />
      <div className="flex flex-wrap items-center gap-2">
        <code className="rounded-control bg-sunken px-3 py-2 text-sm break-all select-all" aria-label={t("secret")}>
          {made.secret}
        </code>
        <CopyButton text={made.secret} label={t("copySecret")} />
      </div>
      <TextField
        label={t("digits")}
        problem={atField}
        value={digits}
        onChange={(event) => setDigits(digitsOf(event.target.value, 6))}
        inputMode="numeric"
        autoComplete="one-time-code"
      />
      {turnOn.isError && !atField && <Problem error={turnOn.error} />}
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>{common("cancel")}</Button>
        <Button type="submit" tone="primary" disabled={digits.length < 6} isBusy={turnOn.isPending}>
          {t("turnOn")}
        </Button>
      </div>
    </form>
  );
}
