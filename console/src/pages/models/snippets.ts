/** A model's requests in each dialect, for the code on its page. */

import type { Model } from "@/api/models";
import type { CodeRequest, Json } from "@/playground/code";
import { type Field, fieldsOf, type Schema } from "@/playground/schema";

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
const CHAT_PROMPT = "用一句话介绍你自己";
const VIDEO_PROMPT = "小猫在抓老鼠";
const FILES: Readonly<Record<string, string>> = {
  first_frame: "first.jpg",
  last_frame: "last.jpg",
  reference_image: "reference.jpg",
  reference_video: "reference.mp4",
  reference_audio: "reference.mp3",
};
/** Told in the example where the model has them; the rest is as it is by default. */
const TOLD = ["duration", "resolution", "size", "ratio"];

/** The request that asks, and for videos the one that looks how it stands. */
export function requestsOf(model: Model, dialect: Dialect): readonly [ask: CodeRequest, look?: CodeRequest] {
  return model.operation === "chat" ? [chat(model, dialect)] : video(model, dialect);
}

function chat({ model }: Model, dialect: Dialect): CodeRequest {
  if (dialect === "llmage")
    return { method: "POST", path: "/llmage/v1/chat/completions", json: { model, prompt: CHAT_PROMPT } };
  return {
    method: "POST",
    path: "/v1/chat/completions",
    json: { model, messages: [{ role: "user", content: CHAT_PROMPT }] },
  };
}

function video(model: Model, dialect: Dialect): readonly [CodeRequest, CodeRequest] {
  const fields = fieldsOf(model.parameters as Schema, {});
  const told = Object.fromEntries(fields.flatMap((field) => toldOf(field)));
  const files = neededFiles(model);
  if (dialect === "openai") {
    const { duration, ...rest } = told;
    const json = { model: model.llmid, prompt: VIDEO_PROMPT, ...(duration === undefined ? {} : { seconds: String(duration) }), ...rest };
    return [request("/v1/videos", json, files), { method: "GET", path: "/v1/videos/<id>" }];
  }
  if (dialect === "generations") {
    const category = CATEGORIES[model.operation];
    const json = { model: model.llmid, ...(category ? { catelogid: category } : {}), prompt: VIDEO_PROMPT, ...told };
    return [request("/llmage/v1/video/generations", json, files), { method: "GET", path: "/llmage/v1/tasks?taskid=<taskid>" }];
  }
  const json = { llmid: model.llmid, prompt: VIDEO_PROMPT, ...told };
  return [request("/llmage/video", json, files), { method: "GET", path: "/llmage/tasks?taskid=<taskid>" }];
}

function toldOf(field: Field): [string, Json][] {
  return TOLD.includes(field.name) && field.default !== undefined ? [[field.name, field.default]] : [];
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
