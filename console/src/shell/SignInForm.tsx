import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, call } from "@/api/client";
import { afterError, endOf, type SentCode, sendCode } from "@/api/codes";
import { ApiError } from "@/api/errors";
import { begin, useSession } from "@/api/session";
import { useTexts } from "@/i18n";
import { useSecondsUntil } from "@/lib/clock";
import { secondFactor } from "@/pages/settings/factor";
import { CodeField } from "@/shell/CodeField";
import { forgetCodes, keepCode, keptCode } from "@/shell/sentCodes";
import { Button } from "@/ui/Button";
import { CheckField, TextField } from "@/ui/Field";
import { Problem, problemOf, waitUntil } from "@/ui/Problem";

interface SignInFormProps {
  onDone: () => void;
  /** Who has been in: nobody else may go on with what is there. */
  only?: string;
}

/** The code that is under way; one of before is taken up again where another cannot be had yet. */
function useCode(mobile: string) {
  const [sent, setSent] = useState<SentCode | null>(() => keptCode(mobile || undefined)?.sent ?? null);
  const [isProving, setProving] = useState(false);

  function keep(code: SentCode): void {
    keepCode(mobile, code);
    setSent(code);
  }

  const sending = useMutation({
    mutationFn: () => sendCode({ mobile }, () => setProving(true)),
    onSettled: () => setProving(false),
    onSuccess: keep,
    onError: (error) => {
      const [kept, until] = [keptCode(mobile), waitUntil(error)];
      if (kept === null || until === null || !(error instanceof ApiError && error.code === "too_many_codes")) return;
      keep({ ...kept.sent, resendAt: until });
      sending.reset();
    },
  });
  return { sent, keep, sending, isProving, drop: () => setSent(null) };
}

/** Number, code, and what else is asked for; calls `onDone` when somebody is signed in. */
export function SignInForm({ onDone, only }: SignInFormProps) {
  const t = useTexts("signIn");
  const session = useSession();
  const [mobile, setMobile] = useState(() => only ?? keptCode()?.mobile ?? "");
  const [isByPassword, setByPassword] = useState(false);
  const [secret, setSecret] = useState("");
  const [second, setSecond] = useState("");
  const [remember, setRemember] = useState(false);
  const { sent, keep, sending, isProving, drop } = useCode(mobile);
  const wait = useSecondsUntil(waitUntil(sending.error));

  function send(): void {
    setSecret("");
    enter.reset();
    sending.mutate();
  }

  const enter = useMutation({
    mutationFn: (typed: string) => {
      const way = isByPassword ? { password: typed } : { challenge_id: sent?.challenge_id ?? "", code: typed };
      return call(() => api.POST("/api/auth/sessions", { body: { mobile, remember, ...way, ...(second && secondFactor(second)) } }));
    },
    onSuccess: (answer) => {
      forgetCodes();
      begin(answer);
      onDone();
    },
    onError: (error) => {
      const after = isByPassword ? sent : afterError(sent, error);
      if (after === null || after === sent) return;
      keep(after);
      if (endOf(after, Date.now()) !== null) setSecret("");
    },
  });

  const needsSecond =
    second !== "" || (enter.error instanceof ApiError && enter.error.code.includes("one_time_password"));
  const asksSecret = isByPassword || sent !== null;

  function submit(event: FormEvent): void {
    event.preventDefault();
    if (!asksSecret) send();
    else enter.mutate(secret);
  }

  const error = enter.error ?? sending.error ?? session.error;
  const isAtField = ["mobile", "code", "password"].some((name) => problemOf(error, name));
  return (
    <form className="flex flex-col gap-4" onSubmit={submit} noValidate>
      <TextField
        label={t("mobile")}
        hint={only ? undefined : t("mobileHint")}
        problem={problemOf(error, "mobile")}
        value={mobile}
        onChange={(event) => {
          setMobile(event.target.value);
          sending.reset(); // what was refused was another number's
        }}
        type="tel"
        autoComplete="tel"
        inputMode="tel"
        required
        {...(only !== undefined && { tabIndex: -1 })} // the focus begins with what can be done
        readOnly={only !== undefined || (sent !== null && !isByPassword)}
      />
      {sent && !isByPassword && (
        <>
          <p role="status" className="text-sm text-muted">
            {t("sent", { mobile })}{" "}
            {only === undefined && (
              <button type="button" className="text-accent-ink underline" onClick={drop}>
                {t("change")}
              </button>
            )}
          </p>
          <CodeField
            sent={sent}
            value={secret}
            problem={problemOf(error, "code")}
            onChange={setSecret}
            onWhole={(digits) => !needsSecond && enter.mutate(digits)}
            onResend={send}
            isResending={sending.isPending}
            isProving={isProving}
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
      {error && !isAtField && <Problem error={error} hasClock={error === sending.error} />}
      <Button
        type="submit"
        tone="primary"
        isBusy={(sending.isPending && sent === null) || enter.isPending}
        disabled={!mobile || !session.data || (asksSecret ? !secret : wait > 0)}
      >
        {asksSecret ? t("submit") : isProving ? t("proving") : sending.isPending ? t("sending") : wait > 0 ? t("resendIn", { seconds: wait }) : t("send")}
      </Button>
      <div className="flex justify-center">
        <Button
          tone="quiet"
          onClick={() => {
            setByPassword(!isByPassword);
            setSecret("");
            enter.reset();
            sending.reset();
          }}
        >
          {isByPassword ? t("byCode") : t("byPassword")}
        </Button>
      </div>
    </form>
  );
}
