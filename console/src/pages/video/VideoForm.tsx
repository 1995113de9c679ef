import { type FormEvent, useState } from "react";
import { flushSync } from "react-dom";
import { useLanguage, useTexts } from "@/i18n";
import { yuan } from "@/lib/money";
import { codeRequest, type Draft, missingAnyOf, openFields, type Upload, videoFields } from "@/pages/video/request";
import { UploadField } from "@/pages/video/UploadField";
import { useQuote, useSubmit, type Video } from "@/pages/video/useVideos";
import { CallProblem } from "@/playground/CallProblem";
import { CodeButton } from "@/playground/CodeDialog";
import type { Access } from "@/playground/key";
import type { Offer } from "@/playground/offers";
import { SchemaField } from "@/playground/SchemaFields";
import { type Field, kindOf, labelOf } from "@/playground/schema";
import { Button } from "@/ui/Button";
import { Problem, problemOf } from "@/ui/Problem";

interface VideoFormProps {
  access: Access;
  offer: Offer;
  draft: Draft;
  onDraft: (draft: Draft) => void;
  onMade: (video: Video) => void;
  /** Somebody has left a field. */
  onLeave: () => void;
}

/** What the offer takes, made from its schema; what it would cost at most; and the button. */
export function VideoForm({ access, offer, draft, onDraft, onMade, onLeave }: VideoFormProps) {
  const t = useTexts("video");
  const words = useTexts("playground");
  const [isTried, setTried] = useState(false);
  const fields = videoFields(offer, draft);
  const open = openFields(fields, draft);
  const anyOf = missingAnyOf(offer, draft);
  const isWhole = open.every((one) => one.name === "prompt") && !anyOf.length; // a price does not depend on words
  const submit = useSubmit(access);

  function send(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    flushSync(() => setTried(true)); // what is missing is marked before one is led there
    if (open.length || anyOf.length) return event.currentTarget.querySelector<HTMLElement>("[aria-invalid]")?.focus();
    submit.mutate({ offer, fields, draft }, { onSuccess: onMade });
  }

  const control = (field: Field) => {
    const isMissing = isTried && open.includes(field);
    const problem = isMissing ? t("required") : problemOf(submit.error, field.name);
    const limits = offer.video?.media.find((one) => one.field === field.name);
    return limits ? (
      <UploadField
        key={`${offer.llmid} ${field.name}`}
        {...{ field, limits, problem }}
        uploads={draft.uploads[field.name] ?? []}
        onChange={(uploads: readonly Upload[]) => onDraft({ ...draft, uploads: { ...draft.uploads, [field.name]: uploads } })}
      />
    ) : (
      <SchemaField
        key={field.name}
        {...{ field, problem }}
        typed={draft.typed[field.name] ?? ""}
        onType={(text) => onDraft({ ...draft, typed: { ...draft.typed, [field.name]: text } })}
      />
    );
  };

  const shown = fields.filter((one) => kindOf(one) !== "file" || offer.video?.media.some((rule) => rule.field === one.name));
  const plain = shown.filter((one) => !one["x-advanced"]);
  const advanced = shown.filter((one) => one["x-advanced"]);
  const isTold = shown.some((one) => problemOf(submit.error, one.name));
  return (
    <form onSubmit={send} onBlur={onLeave} noValidate className="flex flex-col gap-5">
      {plain.filter((one) => !isShort(one)).map(control)}
      <div className="grid gap-4 sm:grid-cols-2">{plain.filter(isShort).map(control)}</div>
      {advanced.length > 0 && (
        <details>
          <summary className="cursor-pointer text-sm font-medium text-muted">{words("advanced")}</summary>
          <div className="mt-4 flex flex-col gap-4">{advanced.map(control)}</div>
        </details>
      )}
      {isTried && anyOf.length > 0 && <AnyOf names={anyOf} fields={fields} />}
      <Ceiling {...{ access, offer, fields, draft, isWhole }} />
      {submit.isError && !isTold && <CallProblem access={access} error={submit.error} />}
      <div className="flex flex-wrap gap-2">
        <Button type="submit" tone="primary" isBusy={submit.isPending} className="flex-1">
          {t("submit")}
        </Button>
        <CodeButton request={() => codeRequest(offer, draft)} />
      </div>
    </form>
  );
}

/** Whether its control needs half a line only. */
function isShort(field: Field): boolean {
  const kind = kindOf(field);
  return field.name !== "model" && kind !== "file" && kind !== "text";
}

function AnyOf({ names, fields }: { names: readonly string[]; fields: readonly Field[] }) {
  const t = useTexts("video");
  const language = useLanguage();
  const labels = fields.filter((one) => names.includes(one.name)).map((one) => labelOf(one, language));
  return (
    <p role="alert" className="text-sm text-bad">
      {t("needsAnyOf", { fields: labels.join(language === "zh" ? "、" : ", ") })}
    </p>
  );
}

interface CeilingProps {
  access: Access;
  offer: Offer;
  fields: readonly Field[];
  draft: Draft;
  isWhole: boolean;
}

/** The most that it can cost, before it is asked for. */
function Ceiling({ access, offer, fields, draft, isWhole }: CeilingProps) {
  const t = useTexts("video");
  const quote = useQuote(access, offer, fields, draft, isWhole);
  if (quote.isError && isWhole) return <Problem error={quote.error} onRetry={() => void quote.refetch()} />;
  const found = isWhole ? quote.data : undefined;
  return (
    <div className="rounded-control bg-sunken px-4 py-3">
      <div role="status" aria-busy={quote.isFetching} className="flex items-baseline justify-between gap-3">
        <span className="text-sm text-muted">{t("ceiling")}</span>
        <strong className={`text-xl tabular-nums ${quote.isPlaceholderData ? "opacity-50" : ""}`}>{found ? yuan(found.ceiling) : "—"}</strong>
      </div>
      <p className="mt-1 text-xs text-faint">{isWhole ? t("ceilingHint") : t("ceilingLater")}</p>
      <Warnings warnings={found?.warnings ?? []} />
    </div>
  );
}

/** What is done otherwise than asked. */
export function Warnings({ warnings }: { warnings: readonly string[] }) {
  const t = useTexts("video");
  if (!warnings.length) return null;
  return (
    <ul aria-label={t("warnings")} className="mt-2 list-disc pl-4 text-xs text-warn">
      {warnings.map((one) => (
        <li key={one}>{one}</li>
      ))}
    </ul>
  );
}
