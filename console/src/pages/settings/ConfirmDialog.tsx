import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { confirmSelf } from "@/api/account";
import { afterError, type SentCode, sendCode } from "@/api/codes";
import { useSession } from "@/api/session";
import { useTexts } from "@/i18n";
import { secondFactor } from "@/pages/settings/factor";
import { CodeField } from "@/shell/CodeField";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { TextField } from "@/ui/Field";
import { Problem, problemOf } from "@/ui/Problem";

/** "Show that it is you": by the authenticator for who has one, else by the password or a code. */
export function ConfirmDialog({ onDone, onCancel }: { onDone: () => void; onCancel: () => void }) {
  const t = useTexts("settings");
  const common = useTexts("common");
  const factors = useSession().data?.factors;
  const [isByCode, setByCode] = useState(false);
  const [secret, setSecret] = useState("");
  const [sent, setSent] = useState<SentCode | null>(null);
  const way = factors?.totp ? "totp" : factors?.password && !isByCode ? "password" : "code";

  const send = useMutation({ mutationFn: () => sendCode({ purpose: "confirm" }), onSuccess: setSent });
  const confirm = useMutation({
    mutationFn: (typed: string) => {
      if (way === "totp") return confirmSelf(secondFactor(typed));
      if (way === "password") return confirmSelf({ password: typed });
      return confirmSelf({ challenge_id: sent?.challenge_id ?? "", code: typed });
    },
    onSuccess: onDone,
    onError: (why) => setSent(afterError(sent, why)),
  });
  const error = confirm.error ?? send.error;
  const atField = problemOf(error, "code") ?? problemOf(error, "password") ?? problemOf(error, "totp");
  const isUnsent = way === "code" && sent === null;

  function submit(event: FormEvent): void {
    event.preventDefault();
    if (isUnsent) send.mutate();
    else confirm.mutate(secret);
  }

  return (
    <Dialog isOpen onClose={onCancel} title={t("confirmTitle")}>
      <p className="text-sm text-muted">{t("confirmHint")}</p>
      <form noValidate onSubmit={submit} className="flex flex-col gap-4">
        {way === "totp" && (
          <TextField label={t("totp")} hint={t("totpHint")} problem={atField} value={secret} onChange={(event) => setSecret(event.target.value)} autoComplete="one-time-code" autoFocus />
        )}
        {way === "password" && (
          <TextField label={t("currentPassword")} type="password" problem={atField} value={secret} onChange={(event) => setSecret(event.target.value)} autoComplete="current-password" autoFocus />
        )}
        {way === "code" && sent && (
          <CodeField sent={sent} value={secret} problem={atField} onChange={setSecret} onWhole={confirm.mutate} onResend={send.mutate} isResending={send.isPending} />
        )}
        {error && !atField && <Problem error={error} />}
        <div className="flex flex-wrap items-center justify-end gap-2">
          {factors?.password && !factors.totp && (
            <Button
              tone="quiet"
              className="mr-auto"
              onClick={() => {
                setByCode(!isByCode);
                setSecret("");
              }}
            >
              {isByCode ? t("byPassword") : t("byCode")}
            </Button>
          )}
          <Button onClick={onCancel}>{common("cancel")}</Button>
          <Button type="submit" tone="primary" isBusy={confirm.isPending || send.isPending}>
            {isUnsent ? t("sendCode") : t("confirm")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
