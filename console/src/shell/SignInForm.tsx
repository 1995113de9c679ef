import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, call } from "@/api/client";
import { type SentCode, sendCode } from "@/api/codes";
import { ApiError } from "@/api/errors";
import { keepSession, useSession } from "@/api/session";
import { useTexts } from "@/i18n";
import { CodeField } from "@/shell/CodeField";
import { Button } from "@/ui/Button";
import { CheckField, TextField } from "@/ui/Field";
import { Problem, problemOf } from "@/ui/Problem";

/** Number, code, and what else is asked for; calls `onDone` when somebody is signed in. */
export function SignInForm({ onDone }: { onDone: () => void }) {
  const t = useTexts("signIn");
  const session = useSession();
  const [mobile, setMobile] = useState("");
  const [isByPassword, setByPassword] = useState(false);
  const [secret, setSecret] = useState("");
  const [second, setSecond] = useState("");
  const [remember, setRemember] = useState(false);
  const [sent, setSent] = useState<SentCode | null>(null);

  const code = useMutation({
    mutationFn: () => sendCode({ mobile }),
    onSuccess: (answer) => {
      setSecret("");
      setSent(answer);
      enter.reset();
    },
  });
  const enter = useMutation({
    mutationFn: (typed: string) => {
      const way = isByPassword ? { password: typed } : { challenge_id: sent?.challenge_id ?? "", code: typed };
      const factor = !second ? {} : /^\d{6}$/.test(second) ? { totp: second } : { recovery_code: second };
      return call(() => api.POST("/api/auth/sessions", { body: { mobile, remember, ...way, ...factor } }));
    },
    onSuccess: (answer) => {
      keepSession(answer);
      onDone();
    },
  });

  const needsSecond =
    second !== "" || (enter.error instanceof ApiError && enter.error.code.includes("one_time_password"));
  const asksSecret = isByPassword || sent !== null;

  function submit(event: FormEvent): void {
    event.preventDefault();
    if (!asksSecret) code.mutate();
    else enter.mutate(secret);
  }

  const error = enter.error ?? code.error ?? session.error;
  const isAtField = ["mobile", "code", "password"].some((name) => problemOf(error, name));
  return (
    <form className="flex flex-col gap-4" onSubmit={submit} noValidate>
      <TextField
        label={t("mobile")}
        hint={t("mobileHint")}
        problem={problemOf(error, "mobile")}
        value={mobile}
        onChange={(event) => setMobile(event.target.value)}
        type="tel"
        autoComplete="tel"
        inputMode="tel"
        required
        readOnly={sent !== null && !isByPassword}
      />
      {sent && !isByPassword && (
        <>
          <p role="status" className="text-sm text-muted">
            {t("sent", { mobile })}{" "}
            <button type="button" className="text-accent-ink underline" onClick={() => setSent(null)}>
              {t("change")}
            </button>
          </p>
          <CodeField
            sent={sent}
            value={secret}
            problem={problemOf(error, "code")}
            onChange={setSecret}
            onWhole={(digits) => !needsSecond && enter.mutate(digits)}
            onResend={() => code.mutate()}
            isResending={code.isPending}
          />
        </>
      )}
      {isByPassword && (
        <TextField
          label={t("password")}
          problem={problemOf(error, "password")}
          value={secret}
          onChange={(event) => setSecret(event.target.value)}
          type="password"
          autoComplete="current-password"
          required
        />
      )}
      {needsSecond && (
        <TextField
          label={t("totp")}
          hint={t("totpHint")}
          value={second}
          onChange={(event) => setSecond(event.target.value.trim())}
          autoComplete="one-time-code"
          autoFocus
        />
      )}
      {asksSecret && (
        <CheckField label={t("remember")} checked={remember} onChange={(event) => setRemember(event.target.checked)} />
      )}
      {error && !isAtField && <Problem error={error} />}
      <Button type="submit" tone="primary" isBusy={code.isPending || enter.isPending} disabled={!mobile || !session.data}>
        {asksSecret ? t("submit") : code.isPending ? t("sending") : t("send")}
      </Button>
      <div className="flex justify-center">
        <Button
          tone="quiet"
          onClick={() => {
            setByPassword(!isByPassword);
            setSecret("");
            enter.reset();
          }}
        >
          {isByPassword ? t("byCode") : t("byPassword")}
        </Button>
      </div>
    </form>
  );
}
