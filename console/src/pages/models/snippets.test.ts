import { expect, it } from "vitest";
import type { Model } from "@/api/models";
import { dialectsOf, requestsOf } from "@/pages/models/snippets";

const media = {
  field: "image1_file",
  role: "first_frame",
  is_required: true,
  count_max: 1,
  media_types: ["image/png"],
  size_bytes_max: 1,
  side_min: null,
  side_max: null,
  aspect_min: null,
  aspect_max: null,
  seconds_min: null,
  seconds_max: null,
  seconds_total_max: null,
  takes_assets: false,
};
const model: Model = {
  object: "model",
  llmid: "7y7kfYM0Xasizyi37WvAZ",
  model: "happyhorse-1.0-i2v",
  label: "",
  provider: "",
  operation: "image_to_video",
  description: "",
  description_zh: "",
  aliases: [],
  capabilities: ["image_to_video"],
  enabled_from: null,
  enabled_until: null,
  parameters: { properties: { prompt: { type: "string" }, duration: { type: "integer", default: 5 } }, required: ["prompt"] },
  price: { id: "", version: 1, effective_from: "", currency: "CNY", source: "", tiers: [], rates: [] },
  price_text: "",
  price_text_zh: "",
  chat: null,
  video: { family: "", models: [], media: [media], needs_any_of: [], sizes: {}, examples: [], expected_seconds: null, under_way_max: 1000 },
};

it("sends the files that a model needs as a form, and asks for the task after", () => {
  expect(requestsOf(model, "llmage", "zh")).toEqual([
    {
      method: "POST",
      path: "/llmage/video",
      form: [
        ["llmid", "7y7kfYM0Xasizyi37WvAZ", false],
        ["prompt", "小猫在抓老鼠", false],
        ["duration", "5", false],
        ["image1_file", "first.jpg", true],
      ],
    },
    { method: "GET", path: "/llmage/tasks?taskid=<taskid>" },
  ]);
  expect(requestsOf(model, "openai", "zh")[0].form).toContainEqual(["seconds", "5", false]);
  expect(requestsOf(model, "generations", "zh")[0].form).toContainEqual(["catelogid", "i2v", false]);
});

it("shows a reference where one of several is needed, and no file for a text", () => {
  const files = [{ ...media, field: "image_files", is_required: false }];
  const video = { family: "", models: [], media: files, needs_any_of: ["image_files"], sizes: {}, examples: [], expected_seconds: null, under_way_max: 1000 };
  const [ask] = requestsOf({ ...model, operation: "reference_to_video", video }, "llmage", "zh");
  expect(ask.form?.at(-1)).toEqual(["image_files", "first.jpg", true]);
  const [plain] = requestsOf({ ...model, operation: "text_to_video", video: { ...video, needs_any_of: [] } }, "llmage", "zh");
  expect(plain.json).toEqual({ llmid: model.llmid, prompt: "小猫在抓老鼠", duration: 5 });
});

it("chats in two dialects", () => {
  const chat = { ...model, operation: "chat", model: "qwen3-max", video: null };
  expect(dialectsOf(chat).map((dialect) => requestsOf(chat, dialect, "zh")[0].path)).toEqual([
    "/v1/chat/completions",
    "/llmage/v1/chat/completions",
  ]);
});

it("asks in the reader's language, at once and as a stream", () => {
  const chat = { ...model, operation: "chat", model: "qwen3-max", video: null };
  const messages = [{ role: "user", content: "Introduce yourself in one sentence." }];
  expect(requestsOf(chat, "openai", "en").map((one) => [one.json, one.isStream])).toEqual([
    [{ model: "qwen3-max", messages }, undefined],
    [{ model: "qwen3-max", messages, stream: true, stream_options: { include_usage: true } }, true],
  ]);
  const [, streamed] = requestsOf(chat, "llmage", "zh");
  expect(streamed.json).toEqual({ model: "qwen3-max", prompt: "用一句话介绍你自己", stream: true });
  expect(requestsOf({ ...model, operation: "text_to_video" }, "llmage", "en")[0].form).toContainEqual(["prompt", "A kitten chases a mouse", false]);
});

it("an example is not the dearest video that the model makes by default", () => {
  const properties = {
    prompt: { type: "string" },
    duration: { type: "integer", minimum: 4, maximum: 12, default: 12 },
    resolution: { enum: ["480p", "720p", "1080p"], default: "1080p" },
    ratio: { enum: ["16:9", "1:1"], default: "16:9" },
  };
  const [ask] = requestsOf({ ...model, operation: "text_to_video", video: null, parameters: { properties } }, "llmage", "en");
  expect(ask.json).toMatchObject({ duration: 5, resolution: "720p", ratio: "16:9" });
});
