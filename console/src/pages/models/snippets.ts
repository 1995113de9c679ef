/** A model's requests in each dialect, for the code on its page. */

import type { Model } from "@/api/models";
import type { Language } from "@/i18n";
import { thriftyOf } from "@/pages/video/thrift";
import type { CodeRequest, Json } from "@/playground/code";
import { type Field, fieldsOf, type Schema } from "@/playground/schema";
import type { Typed } from "@/playground/SchemaFields";

export type Dialect = "openai" | "llmage" | "generations";

/** Which a model has, the most usual first. */
export function dialectsOf(model: Model): readonly Dialect[] {
  return model.operation === "chat" ? ["openai", "llmage"] : ["llmage", "openai", "generations"];
}

const CATEGORIES: Readonly<Record<string, string>> = {
  text_to_video: "t2v",
  image_to_video: "i2v",
  reference_to_video: "r2v",
};
/** What examples ask for, in the reader's language. */
const PROMPTS = {
  zh: { chat: "用一句话介绍你自己", video: "小猫在抓老鼠" },
  en: { chat: "Introduce yourself in one sentence.", video: "A kitten chases a mouse" },
} as const;
const FILES: Readonly<Record<string, string>> = {
  first_frame: "first.jpg",
  last_frame: "last.jpg",
  reference_image: "reference.jpg",
  reference_video: "reference.mp4",
  reference_audio: "reference.mp3",
};
/** Told in the example where the model has them. */
const TOLD = ["duration", "resolution", "size", "ratio"];

/** The request that asks, and a second one: of chat the same as a stream, of videos the one that looks how it stands. */
export function requestsOf(model: Model, dialect: Dialect, language: Language): readonly [CodeRequest, CodeRequest] {
  return model.operation === "chat" ? chat(model, dialect, PROMPTS[language].chat) : video(model, dialect, PROMPTS[language].video);
}

function chat({ model }: Model, dialect: Dialect, prompt: string): readonly [CodeRequest, CodeRequest] {
  const isSeed = dialect === "llmage";
  const path = isSeed ? "/llmage/v1/chat/completions" : "/v1/chat/completions";
  const json = isSeed ? { model, prompt } : { model, messages: [{ role: "user", content: prompt }] };
  const streamed = { ...json, stream: true, ...(isSeed ? {} : { stream_options: { include_usage: true } }) };
  return [
    { method: "POST", path, json },
    { method: "POST", path, json: streamed, isStream: true },
  ];
}

function video(model: Model, dialect: Dialect, prompt: string): readonly [CodeRequest, CodeRequest] {
  const fields = fieldsOf(model.parameters as Schema, {});
  const told = Object.fromEntries(fields.flatMap((field) => toldOf(field, thriftyOf(model))));
  const files = neededFiles(model);
  if (dialect === "openai") {
    const { duration, ...rest } = told;
    const json = { model: model.llmid, prompt, ...(duration === undefined ? {} : { seconds: String(duration) }), ...rest };
    return [request("/v1/videos", json, files), { method: "GET", path: "/v1/videos/<id>" }];
  }
  if (dialect === "generations") {
    const category = CATEGORIES[model.operation];
    const json = { model: model.llmid, ...(category ? { catelogid: category } : {}), prompt, ...told };
    return [request("/llmage/v1/video/generations", json, files), { method: "GET", path: "/llmage/v1/tasks?taskid=<taskid>" }];
  }
  const json = { llmid: model.llmid, prompt, ...told };
  return [request("/llmage/video", json, files), { method: "GET", path: "/llmage/tasks?taskid=<taskid>" }];
}

/** As the playground's form begins: who copies an example does not pay for the longest and largest video. */
function toldOf(field: Field, thrifty: Typed): [string, Json][] {
  if (!TOLD.includes(field.name) || field.default === undefined) return [];
  const wanted = thrifty[field.name];
  return [[field.name, wanted === undefined ? field.default : typeof field.default === "number" ? Number(wanted) : wanted]];
}

/** Fields of files without which there is no video, with a file each. */
function neededFiles({ video: details, operation }: Model): [string, string][] {
  const media = details?.media ?? [];
  const needed = media.filter((rule) => rule.is_required);
  const first = media.find((rule) => details?.needs_any_of.includes(rule.field)) ?? media[0];
  const shown = needed.length > 0 || operation === "text_to_video" || first === undefined ? needed : [first];
  return shown.map((rule) => [rule.field, FILES[rule.role] ?? "file"]);
}

function request(path: string, json: Readonly<Record<string, Json>>, files: readonly [string, string][]): CodeRequest {
  if (files.length === 0) return { method: "POST", path, json };
  const texts = Object.entries(json).map(([name, value]) => [name, String(value), false] as const);
  return { method: "POST", path, form: [...texts, ...files.map(([name, file]) => [name, file, true] as const)] };
}
