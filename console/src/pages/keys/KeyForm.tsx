import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { ApiError } from "@/api/errors";
import { useTexts } from "@/i18n";
import { revealInvalid } from "@/lib/reveal";
import { type Draft, type DraftField, faultsOf } from "@/pages/keys/draft";
import { Button } from "@/ui/Button";
import { SelectField, TextArea, TextField } from "@/ui/Field";
import { Problem, problemOf } from "@/ui/Problem";

interface KeyFormProps {
  first: Draft;
  /** The book is asked for a new key only: it stays for ever. */
  isNew: boolean;
  submitLabel: string;
  onSubmit: (draft: Draft) => Promise<void>;
  onCancel: () => void;
}

const isLimited = (draft: Draft): boolean =>
  [draft.expires_at, draft.models, draft.networks, draft.requests_per_minute, draft.tokens_per_minute, draft.concurrency, draft.budget].some(Boolean);

/** What a key is called and what it may do. */
export function KeyForm({ first, isNew, submitLabel, onSubmit, onCancel }: KeyFormProps) {
  const t = useTexts("keys");
  const common = useTexts("common");
  const [draft, setDraft] = useState(first);
  const [isTried, setTried] = useState(false);
  const sending = useMutation({ mutationFn: onSubmit });
  const faults = faultsOf(draft);
  const form = useRef<HTMLFormElement>(null);
  const [attempt, setAttempt] = useState(0);
  const isField = sending.error instanceof ApiError && Object.keys(draft).some((name) => problemOf(sending.error, name));

  function bind(name: DraftField) {
    const fault = isTried ? faults[name] : undefined;
    return {
      value: draft[name],
      problem: fault ? t(fault) : problemOf(sending.error, name),
      onChange: (event: { target: { value: string } }) => setDraft({ ...draft, [name]: event.target.value }),
    };
  }

  function submit(event: FormEvent): void {
    event.preventDefault();
    setTried(true);
    setAttempt(attempt + 1);
    if (Object.keys(faults).length === 0) sending.mutate(draft);
  }

  // Where a limit is at fault, it may be folded away.
  useEffect(() => {
    if (attempt > 0) revealInvalid(form.current);
  }, [attempt, sending.error]);

  return (
    <form ref={form} onSubmit={submit} noValidate className="flex flex-col gap-4">
      <TextField label={t("name")} hint={t("nameHint")} maxLength={100} autoFocus {...bind("name")} />
      {isNew && (
        <SelectField
          label={t("book")}
          hint={t("bookHint")}
          options={[
            ["test", t("bookTest")],
            ["live", t("bookLive")],
          ]}
          {...bind("book")}
        />
      )}
      <details open={isLimited(first) || undefined} className="group rounded-card border border-line">
        <summary className="cursor-pointer rounded-card px-4 py-2.5 text-sm font-medium hover:bg-sunken">{t("more")}</summary>
        <div className="grid gap-4 border-t border-line p-4 sm:grid-cols-2">
          <TextField label={t("budget")} inputMode="decimal" {...bind("budget")} />
          <SelectField
            label={t("budgetPeriod")}
            options={[
              ["total", t("periodTotal")],
              ["day", t("periodDay")],
              ["month", t("periodMonth")],
            ]}
            {...bind("budget_period")}
          />
          <p className="-mt-2 text-sm text-faint sm:col-span-2">{t("budgetHint")}</p>
          <TextField label={t("requestsPerMinute")} inputMode="numeric" {...bind("requests_per_minute")} />
          <TextField label={t("tokensPerMinute")} inputMode="numeric" {...bind("tokens_per_minute")} />
          <TextField label={t("concurrency")} inputMode="numeric" {...bind("concurrency")} />
          <TextField label={t("expires")} type="date" hint={t("expiresHint")} {...bind("expires_at")} />
          <TextArea label={t("models")} hint={t("modelsHint")} rows={3} spellCheck={false} {...bind("models")} />
          <TextArea label={t("networks")} hint={t("networksHint")} rows={3} spellCheck={false} {...bind("networks")} />
        </div>
      </details>
      {sending.isError && !isField && <Problem error={sending.error} />}
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onCancel}>{common("cancel")}</Button>
        <Button type="submit" tone="primary" isBusy={sending.isPending}>
          {submitLabel}
        </Button>
      </div>
    </form>
  );
}
