/** What is asked for: from the form to the request, and back from a task that was made before. */

import type { Schemas } from "@/api/client";
import type { Typed } from "@/playground/SchemaFields";
import type { CodeRequest } from "@/playground/code";
import { type Offer, schemaOf } from "@/playground/offers";
import { type Field, fieldsOf, isWithin, kindOf, type Value, valueOf } from "@/playground/schema";

/** A file that was chosen; `url` shows it. */
export interface Upload {
  file: File;
  url: string;
}

export type Uploads = Readonly<Record<string, readonly Upload[]>>;

export interface Draft {
  typed: Typed;
  uploads: Uploads;
}

const FIXED = "llmid";
const VARIANT = { "x-label": "Variant", "x-label-zh": "版本" }; // the offer itself is called the model

/** The fields of an offer's form, as they are with what is filled in already. */
export function videoFields(offer: Offer, draft: Draft): Field[] {
  const schema = schemaOf(offer);
  const files = Object.entries(draft.uploads).filter(([, found]) => found.length);
  const chosen = { model: draft.typed["model"] || undefined, ...Object.fromEntries(files.map(([name]) => [name, true])) };
  return fieldsOf(schema, chosen)
    .filter((one) => one.name !== FIXED && kindOf(one) !== null && !isOnlyOne(one))
    .map((one) => (one.name === "model" ? { ...one, ...VARIANT } : one));
}

/** A choice of one is none. */
function isOnlyOne(field: Field): boolean {
  return field.name === "model" && field.enum?.length === 1;
}

/** The fields that cannot be sent as they are: missing, or out of bounds. */
export function openFields(fields: readonly Field[], draft: Draft): Field[] {
  return fields.filter((field) => {
    if (kindOf(field) === "file") return field.isRequired && !draft.uploads[field.name]?.length;
    const typed = draft.typed[field.name] ?? "";
    const value = valueOf(field, typed);
    if (value === null) return kindOf(field) === "choice" ? false : typed.trim() !== "" || field.isRequired;
    return !isWithin(field, value);
  });
}

/** Those of them in which something was typed that does not fit; the rest is missing. */
export function wrongFields(open: readonly Field[], draft: Draft): Field[] {
  return open.filter((field) => (draft.typed[field.name] ?? "").trim() !== "");
}

/** Groups of which one file is needed, by the names of their fields; empty if there is one, or none is needed. */
export function missingAnyOf(offer: Offer, draft: Draft): readonly string[] {
  const wanted = offer.video?.needs_any_of ?? [];
  return wanted.some((name) => draft.uploads[name]?.length) ? [] : wanted;
}

/** The values of the request, without its files. */
export function valuesOf(offer: Offer, fields: readonly Field[], draft: Draft): Record<string, Value> {
  const given: Record<string, Value> = { model: offer.video?.models[0] ?? offer.model, llmid: offer.llmid };
  for (const field of fields) {
    const value = kindOf(field) === "file" ? null : valueOf(field, draft.typed[field.name] ?? "");
    if (value !== null && isWithin(field, value)) given[field.name] = value;
  }
  return given;
}

/** The files of the request in their order, as far as the offer takes them. */
export function filesOf(fields: readonly Field[], draft: Draft): [name: string, file: File][] {
  return fields.flatMap((field) =>
    (kindOf(field) === "file" ? (draft.uploads[field.name] ?? []) : []).map(({ file }): [string, File] => [field.name, file]),
  );
}

/** The body of a quote: files only count, so a word stands for each; the prompt has no price. */
export function quoteBody(offer: Offer, fields: readonly Field[], draft: Draft): Record<string, unknown> {
  const files: Record<string, string[]> = {};
  for (const [name] of filesOf(fields, draft)) (files[name] ??= []).push("file");
  return { ...valuesOf(offer, fields, draft), prompt: "…", negative_prompt: "", ...files };
}

/** The request as a form, if there are files. */
export function formOf(values: Readonly<Record<string, Value>>, files: readonly (readonly [string, File])[]): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(values)) form.append(name, String(value));
  for (const [name, file] of files) form.append(name, file, file.name);
  return form;
}

/** The same as a program. */
export function codeRequest(offer: Offer, draft: Draft): CodeRequest {
  const fields = videoFields(offer, draft);
  const values = valuesOf(offer, fields, draft);
  const files = filesOf(fields, draft);
  const base = { method: "POST", path: "/v1/videos" } as const;
  if (!files.length) return { ...base, json: values };
  const texts = Object.entries(values).map(([name, value]) => [name, String(value), false] as const);
  return { ...base, form: [...texts, ...files.map(([name, file]) => [name, file.name, true] as const)] };
}

/** What was asked for with a task, as it would be typed here. */
export function typedOf(asked: Schemas["TaskParametersView"], offer: Offer): Typed {
  const known = new Map(fieldsOf(schemaOf(offer), {}).map((field) => [field.name, field]));
  const size = known.get("size")?.enum?.find((one) => String(one).replace(/\D/g, "x") === asked.size);
  const given: Record<string, string | number | boolean | null | undefined> = {
    model: asked.model,
    prompt: asked.prompt,
    negative_prompt: asked.negative_prompt,
    resolution: asked.resolution,
    size,
    ratio: asked.ratio,
    duration: asked.seconds,
    off_peak: asked.off_peak,
    generate_audio: asked.audio,
    seed: asked.seed,
    watermark: asked.watermark,
  };
  const typed: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    const field = known.get(name);
    if (!field || value === null || value === undefined) continue;
    const isDefault = value === field.default || (value === false && field.default === undefined);
    if (!isDefault) typed[name] = String(value);
  }
  return typed;
}
