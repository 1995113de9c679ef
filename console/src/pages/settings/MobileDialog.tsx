import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { changeMobile } from "@/api/account";
import { afterError, type SentCode, sendCode } from "@/api/codes";
import { useTexts } from "@/i18n";
import { secondFactor } from "@/pages/settings/factor";
import { CodeField } from "@/shell/CodeField";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { TextField } from "@/ui/Field";
import { Problem, problemOf } from "@/ui/Problem";

interface MobileDialogProps {
  confirmed: <T>(work: () => Promise<T>) => Promise<T>;
  /** Then its digits are wanted with the change. */
  hasTotp: boolean;
  onClose: () => void;
}

/** Another number to sign in with, proved by a code that goes there. */
export function MobileDialog({ confirmed, hasTotp, onClose }: MobileDialogProps) {
  const t = useTexts("settings");
  const common = useTexts("common");
  const [mobile, setMobile] = useState("");
  const [code, setCode] = useState("");
  const [second, setSecond] = useState("");
  const [sent, setSent] = useState<SentCode | null>(null);

  const send = useMutation({
    mutationFn: () => confirmed(() => sendCode({ purpose: "change-mobile", mobile })),
    onSuccess: setSent,
  });
  const change = useMutation({
    mutationFn: (typed: string) => {
      const factor = hasTotp ? secondFactor(second) : {};
      return confirmed(() => changeMobile({ mobile, challenge_id: sent?.challenge_id ?? "", code: typed, ...factor }));
    },
    onSuccess: onClose,
    onError: (why) => setSent(afterError(sent, why)),
  });
  const error = change.error ?? send.error;
  const problem = (field: string) => problemOf(error, field);
  const isAtField = ["mobile", "code", "totp"].some(problem);

  function submit(event: FormEvent): void {
    event.preventDefault();
    if (sent) change.mutate(code);
    else send.mutate();
  }

  return (
    <Dialog isOpen isSticky onClose={onClose} title={t("changeMobile")}>
      <p className="text-sm text-muted">{t("changeMobileHint")}</p>
      <form noValidate onSubmit={submit} className="flex flex-col gap-4">
        <TextField label={t("newMobile")} problem={problem("mobile")} value={mobile} readOnly={sent !== null} onChange={(event) => setMobile(event.target.value)} type="tel" autoComplete="tel" autoFocus />
        {sent && hasTotp && (
          <TextField label={t("totp")} hint={t("totpHint")} problem={problem("totp")} value={second} onChange={(event) => setSecond(event.target.value)} autoComplete="one-time-code" />
        )}
        {sent && (
          <CodeField
            sent={sent}
            value={code}
            problem={problem("code")}
            onChange={setCode}
            onWhole={(typed) => !hasTotp && change.mutate(typed)}
            onResend={send.mutate}
            isResending={send.isPending}
          />
        )}
        {error && !isAtField && <Problem error={error} />}
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={onClose}>{common("cancel")}</Button>
          <Button type="submit" tone="primary" disabled={!mobile} isBusy={send.isPending || change.isPending}>
            {sent ? t("change") : t("sendCode")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
