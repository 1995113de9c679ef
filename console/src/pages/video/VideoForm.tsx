import { type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { flushSync } from "react-dom";
import { OfflineError } from "@/api/errors";
import { useLanguage, useTexts } from "@/i18n";
import { Ceiling } from "@/pages/video/Ceiling";
import { codeRequest, type Draft, missingAnyOf, openFields, type Upload, videoFields, wrongFields } from "@/pages/video/request";
import { UploadField } from "@/pages/video/UploadField";
import { useSubmit, type Video } from "@/pages/video/useVideos";
import { CallProblem } from "@/playground/CallProblem";
import { CodeButton } from "@/playground/CodeDialog";
import type { Access } from "@/playground/key";
import type { Offer } from "@/playground/offers";
import { SchemaField } from "@/playground/SchemaFields";
import { type Field, kindOf, labelOf } from "@/playground/schema";
import { Button } from "@/ui/Button";
import { problemOf } from "@/ui/Problem";

const HOLD_MS = 1_500; // a second press of a double click asks for nothing

interface VideoFormProps {
  access: Access;
  offer: Offer;
  draft: Draft;
  /** Fields whose file of an earlier task is not kept any more. */
  gone: readonly string[];
  onDraft: (draft: Draft) => void;
  onMade: (video: Video) => void;
  /** Somebody has left a field. */
  onLeave: () => void;
}

/** What the offer takes, made from its schema; what it would cost at most; and the button. */
export function VideoForm({ access, offer, draft, gone, onDraft, onMade, onLeave }: VideoFormProps) {
  const t = useTexts("video");
  const [isTried, setTried] = useState(false);
  const [isHeld, hold] = useHold();
  const form = useRef<HTMLFormElement>(null);
  const fields = videoFields(offer, draft);
  const open = openFields(fields, draft);
  const wrong = wrongFields(open, draft);
  const anyOf = missingAnyOf(offer, draft);
  const isWhole = open.every((one) => one.name === "prompt") && !anyOf.length; // a price does not depend on words
  const submit = useSubmit(access);

  function send(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    if (isHeld || submit.isPending) return;
    flushSync(() => setTried(true)); // what is missing is marked, and to be seen, before one is led there
    if (open.length || anyOf.length) return event.currentTarget.querySelector<HTMLElement>("[aria-invalid]")?.focus();
    submit.mutate({ offer, fields, draft }, { onSuccess: (video) => (hold(), onMade(video)) });
  }

  function type(field: Field, text: string): void {
    // a default that was chosen is told, since the form may begin with something else
    const value = text === "" && kindOf(field) === "choice" && field.default !== undefined ? String(field.default) : text;
    onDraft({ ...draft, typed: { ...draft.typed, [field.name]: value } });
  }

  const control = (field: Field) => {
    const isMissing = isTried && open.includes(field) && !wrong.includes(field);
    const isGone = gone.includes(field.name) && !draft.uploads[field.name]?.length;
    const problem = isGone ? t("fileGone") : isMissing ? t("required") : problemOf(submit.error, field.name);
    const limits = offer.video?.media.find((one) => one.field === field.name);
    return limits ? (
      <UploadField
        key={`${offer.llmid} ${field.name}`}
        {...{ field, limits, problem }}
        uploads={draft.uploads[field.name] ?? []}
        onChange={(uploads: readonly Upload[]) => onDraft({ ...draft, uploads: { ...draft.uploads, [field.name]: uploads } })}
      />
    ) : (
      <SchemaField key={field.name} {...{ field, problem }} typed={draft.typed[field.name] ?? ""} onType={(text) => type(field, text)} />
    );
  };

  const shown = fields.filter((one) => kindOf(one) !== "file" || offer.video?.media.some((rule) => rule.field === one.name));
  const plain = shown.filter((one) => !one["x-advanced"]);
  const advanced = shown.filter((one) => one["x-advanced"]);
  const isTold = shown.some((one) => problemOf(submit.error, one.name));
  return (
    <form ref={form} onSubmit={send} onBlur={onLeave} noValidate className="flex flex-col gap-5">
      {plain.filter((one) => !isShort(one)).map(control)}
      {!draft.typed["prompt"] && (
        <Button tone="quiet" className="-mt-4 self-start" onClick={() => onDraft({ ...draft, typed: { ...draft.typed, prompt: t("example") } })}>
          {t("tryExample")}
        </Button>
      )}
      <div className="grid gap-4 sm:grid-cols-2">{plain.filter(isShort).map(control)}</div>
      {advanced.length > 0 && (
        <Advanced isNeeded={advanced.some((one) => wrong.includes(one) || (isTried && open.includes(one)))}>{advanced.map(control)}</Advanced>
      )}
      {isTried && anyOf.length > 0 && <AnyOf names={anyOf} fields={fields} />}
      <Ceiling {...{ access, offer, fields, draft }} lack={isWhole ? null : wrong.length ? "invalid" : "missing"} />
      {submit.error instanceof OfflineError ? (
        <p role="alert" className="rounded-card bg-warn-soft px-4 py-3 text-sm">
          {t("mayBeMade")}
        </p>
      ) : (
        submit.isError && !isTold && <CallProblem access={access} error={submit.error} onRetry={() => form.current?.requestSubmit()} />
      )}
      {isTried && open.length > 0 && <ToMend fields={open} />}
      <div className="flex flex-wrap gap-2">
        <Button type="submit" tone="primary" isBusy={submit.isPending} aria-disabled={isHeld || undefined} className="flex-1">
          {t("submit")}
        </Button>
        <CodeButton request={() => codeRequest(offer, draft)} />
      </div>
      <p role="status" className="-mt-3 min-h-5 text-sm text-good empty:hidden">
        {submit.isSuccess ? t("submitted") : ""}
      </p>
    </form>
  );
}

/** Whether something is held, and what holds it for a moment. */
function useHold(): [boolean, () => void] {
  const [until, setUntil] = useState(0);
  useEffect(() => {
    if (until === 0) return;
    const timer = setTimeout(() => setUntil(0), until - Date.now());
    return () => clearTimeout(timer);
  }, [until]);
  return [until > 0, () => setUntil(Date.now() + HOLD_MS)];
}

/** What few need; to be seen as long as something in it is to be put right. */
function Advanced({ isNeeded, children }: { isNeeded: boolean; children: ReactNode }) {
  const words = useTexts("playground");
  const [isOpen, setOpen] = useState(false);
  return (
    <details open={isOpen || isNeeded} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="cursor-pointer text-sm font-medium text-muted">{words("advanced")}</summary>
      <div className="mt-4 flex flex-col gap-4">{children}</div>
    </details>
  );
}

/** What is to be put right, beside the button that does nothing until then. */
function ToMend({ fields }: { fields: readonly Field[] }) {
  const t = useTexts("video");
  const language = useLanguage();
  const labels = fields.map((one) => labelOf(one, language)).join(language === "zh" ? "、" : ", ");
  return <p className="text-sm text-bad">{t("toMend", { count: fields.length, fields: labels })}</p>;
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
