import type { ReactNode } from "react";
import { ApiError, isToldElsewhere, OfflineError } from "@/api/errors";
import { useTexts } from "@/i18n";
import { useSecondsUntil } from "@/lib/clock";
import { Button } from "@/ui/Button";
import { fieldWords, problemWords } from "@/ui/problemWords";

/** When the API wants the next attempt, in milliseconds; null where it does not say. */
export function waitUntil(error: unknown): number | null {
  return error instanceof ApiError && error.retryAfter !== null ? error.at + error.retryAfter * 1000 : null;
}

/** The text for one field: of an error that names it, or an item of its list. */
export function problemOf(error: unknown, param: string): string | null {
  if (!(error instanceof ApiError) || error.param === null) return null;
  return error.param === param || error.param.startsWith(`${param}.`) ? fieldWords(error) : null;
}

interface ProblemProps {
  error: unknown;
  onRetry?: () => void;
  /** The time to wait runs elsewhere. */
  hasClock?: boolean;
  children?: ReactNode;
}

/** An error as a part of a page, with what to do next; nothing where a dialog asks about it. */
export function Problem({ error, onRetry, hasClock = false, children }: ProblemProps) {
  const t = useTexts("common");
  const errors = useTexts("errors");
  const wait = useSecondsUntil(waitUntil(error));
  const offline = error instanceof OfflineError ? t("offline") : t("fault");
  const { text, original } = error instanceof ApiError ? problemWords(error) : { text: offline, original: null };
  if (isToldElsewhere(error)) return null;
  return (
    <div role="alert" className="flex flex-wrap items-center gap-3 rounded-card bg-bad-soft px-4 py-3 text-sm">
      <div className="min-w-0 flex-1">
        <p className="text-bad">{text}</p>
        {wait > 0 && !hasClock && (
          <p aria-live="off" className="mt-1 text-muted tabular-nums">
            {t("waitSeconds", { seconds: wait })}
          </p>
        )}
        {original !== null && (
          <p className="mt-1 break-words text-muted">
            {errors("original")} <q>{original}</q>
          </p>
        )}
        {error instanceof ApiError && error.status >= 500 && error.requestId && (
          <p className="mt-1 text-muted">
            {t("requestId")} <code>{error.requestId}</code>
          </p>
        )}
        {children}
      </div>
      {onRetry && (
        <Button onClick={onRetry} disabled={wait > 0}>
          {t("retry")}
        </Button>
      )}
    </div>
  );
}
