import { endOf, type SentCode } from "@/api/codes";
import { useTexts } from "@/i18n";
import { useSecondsUntil } from "@/lib/clock";
import { digitsOf } from "@/lib/digits";
import { Button } from "@/ui/Button";
import { TextField } from "@/ui/Field";

const CODE_LENGTH = 6;

interface CodeFieldProps {
  sent: SentCode;
  value: string;
  onChange: (digits: string) => void;
  /** All digits are there, pasted or filled in: no button is needed. */
  onWhole?: (digits: string) => void;
  onResend: () => void;
  isResending: boolean;
  /** A proof of work is being made first. */
  isProving?: boolean;
  problem?: string | null;
}

/** Where a code by SMS is typed; in development with the way to the page that shows it. */
export function CodeField({ sent, value, onChange, onWhole, onResend, isResending, isProving = false, problem }: CodeFieldProps) {
  const t = useTexts("signIn");
  const wait = useSecondsUntil(sent.resendAt);
  useSecondsUntil(Date.parse(sent.expires_at)); // drawn again when its time is over
  const end = endOf(sent, Date.now());

  function type(text: string): void {
    const digits = digitsOf(text, CODE_LENGTH);
    onChange(digits);
    if (digits.length === CODE_LENGTH && digits !== value) onWhole?.(digits);
  }

  return (
    <div className="flex flex-col gap-2">
      <TextField
        label={t("code")}
        problem={end === null ? problem : t(end)}
        value={value}
        onChange={(event) => type(event.target.value)}
        inputMode="numeric"
        autoComplete="one-time-code"
        className="font-mono text-base tracking-[0.3em] disabled:bg-sunken"
        disabled={end !== null}
        autoFocus
        required
      />
      <div className="flex flex-wrap items-center justify-between gap-2">
        {sent.outbox ? (
          <p className="rounded-control bg-warn-soft px-2.5 py-1 text-sm text-warn">
            {t("outbox")}
            <a href={sent.outbox} target="_blank" rel="noreferrer" className="font-medium underline">
              {t("outboxLink")}
            </a>
          </p>
        ) : (
          <span />
        )}
        <Button tone={end === null ? "quiet" : "plain"} disabled={wait > 0} isBusy={isResending} onClick={onResend}>
          {isProving ? t("proving") : wait > 0 ? t("resendIn", { seconds: wait }) : t("resend")}
        </Button>
      </div>
    </div>
  );
}
