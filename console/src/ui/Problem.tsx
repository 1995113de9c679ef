import type { ReactNode } from "react";
import { ApiError, isToldElsewhere, OfflineError } from "@/api/errors";
import { useTexts } from "@/i18n";
import { Button } from "@/ui/Button";

/** An error in words, for the one place where it helps; pass it to a field instead if `param` names one. */
export function useProblemText(): (error: unknown) => string {
  const t = useTexts("common");
  return (error) => {
    if (error instanceof OfflineError) return t("offline");
    if (!(error instanceof ApiError)) return t("fault");
    return error.retryAfter ? `${error.message} ${t("waitSeconds", { seconds: error.retryAfter })}` : error.message;
  };
}

/** The text for one field: of an error that names it, or an item of its list. */
export function problemOf(error: unknown, param: string): string | null {
  if (!(error instanceof ApiError) || error.param === null) return null;
  return error.param === param || error.param.startsWith(`${param}.`) ? error.message : null;
}

/** An error as a part of a page, with what to do next; nothing where a dialog asks about it. */
export function Problem({ error, onRetry, children }: { error: unknown; onRetry?: () => void; children?: ReactNode }) {
  const t = useTexts("common");
  const text = useProblemText();
  if (isToldElsewhere(error)) return null;
  return (
    <div role="alert" className="flex flex-wrap items-center gap-3 rounded-card bg-bad-soft px-4 py-3 text-sm">
      <div className="min-w-0 flex-1">
        <p className="text-bad">{text(error)}</p>
        {error instanceof ApiError && error.status >= 500 && error.requestId && (
          <p className="mt-1 text-muted">
            {t("requestId")} <code>{error.requestId}</code>
          </p>
        )}
        {children}
      </div>
      {onRetry && <Button onClick={onRetry}>{t("retry")}</Button>}
    </div>
  );
}
