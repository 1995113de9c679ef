import { describe, expect, it } from "vitest";
import type { MediaLimits } from "@/api/models";
import { brokenLimit, type Facts, limitsText } from "@/pages/video/limits";
import { codeRequest, type Draft, missingAnyOf, openFields, quoteBody, typedOf, valuesOf, videoFields, wrongFields } from "@/pages/video/request";
import type { Offer } from "@/playground/offers";

const offer = {
  llmid: "L",
  model: "wan",
  video: { models: ["wan-slow", "wan-fast"], needs_any_of: ["image_files", "video_files"] },
  parameters: {
    required: ["prompt"],
    "x-order": ["llmid", "model", "prompt", "image_files", "size", "duration", "seed", "off_peak"],
    properties: {
      llmid: { type: "string", const: "L" },
      model: { type: "string", enum: ["wan-slow", "wan-fast"], default: "wan-slow" },
      prompt: { type: "string", maxLength: 20 },
      image_files: { type: "array", "x-role": "reference_image" },
      size: { type: "string", enum: ["1280*720", "720*1280"], default: "1280*720" },
      duration: { type: "integer", minimum: 2, maximum: 10, default: 5 },
      seed: { type: "integer", minimum: 0 },
      off_peak: { type: "boolean", default: false },
    },
  },
} as unknown as Offer;

const upload = (name: string) => ({ file: new File(["x"], name, { type: "image/png" }), url: `blob:${name}` });
const empty: Draft = { typed: {}, uploads: {} };
const full: Draft = {
  typed: { prompt: "a cat", duration: "7", off_peak: "true", seed: "", unknown: "x" },
  uploads: { image_files: [upload("a.png"), upload("b.png")], other: [upload("c.png")] },
};

describe("a request of a video", () => {
  it("is open while something is missing or out of bounds", () => {
    const fields = videoFields(offer, empty);
    expect(fields.map((one) => one.name)).toEqual(["model", "prompt", "image_files", "size", "duration", "seed", "off_peak"]);
    expect(openFields(fields, empty).map((one) => one.name)).toEqual(["prompt"]);
    const wrong = { typed: { prompt: "a cat", duration: "11", seed: "abc" }, uploads: {} };
    expect(openFields(fields, wrong).map((one) => one.name)).toEqual(["duration", "seed"]);
    expect(wrongFields(openFields(fields, wrong), wrong).map((one) => one.name)).toEqual(["duration", "seed"]);
    expect(wrongFields(openFields(fields, empty), empty)).toEqual([]);
    expect([missingAnyOf(offer, empty), missingAnyOf(offer, full)]).toEqual([["image_files", "video_files"], []]);
  });
  it("has what was filled in, by its type, and nothing that the offer does not know", () => {
    const values = valuesOf(offer, videoFields(offer, full), full);
    expect(values).toEqual({ model: "wan-slow", llmid: "L", prompt: "a cat", duration: 7, off_peak: true });
  });
  it("is quoted without its words and files", () => {
    expect(quoteBody(offer, videoFields(offer, full), full)).toMatchObject({ prompt: "…", duration: 7, image_files: ["file", "file"] });
  });
  it("is a form where there are files, also as a program", () => {
    expect(codeRequest(offer, { ...full, uploads: {} })).toMatchObject({ path: "/v1/videos", json: { prompt: "a cat" } });
    expect(codeRequest(offer, full).form?.slice(-3)).toEqual([
      ["off_peak", "true", false],
      ["image_files", "a.png", true],
      ["image_files", "b.png", true],
    ]);
  });
  it("comes back from a task, as far as it is no default", () => {
    const asked = { model: "wan-fast", prompt: "a cat", negative_prompt: "", resolution: null, size: "720x1280", ratio: null, seconds: 5, off_peak: false, audio: null, seed: 7, watermark: false, files: [] };
    expect(typedOf(asked, offer)).toEqual({ model: "wan-fast", prompt: "a cat", size: "720*1280", seed: "7" });
  });
});

describe("limits of files", () => {
  const limits: MediaLimits = {
    field: "video_files", role: "reference_video", is_required: false, count_max: 3, media_types: ["video/mp4", "image/png"], size_bytes_max: 1000,
    side_min: 300, side_max: 600, aspect_min: "0.5", aspect_max: "2", seconds_min: "1.8", seconds_max: "15", seconds_total_max: "15", takes_assets: false,
  };
  const words = (key: string, values: Record<string, string | number> = {}) => `${key} ${Object.values(values).join()}`;
  const good: Facts = { type: "video/mp4", size: 1000, width: 300, height: 600, seconds: 1.8, isBroken: false };

  it("are told before a file is chosen", () => {
    expect(limitsText(limits, words)).toBe(
      "limitTypes MP4, PNG · limitSize 1,000 B · limitSideMin 300 · limitSideMax 600 · limitAspect 0.5 – 2 · limitSeconds 1.8 – 15 · limitCount 3 · limitTotal 15",
    );
  });
  it("are kept, or the first that is not is named", () => {
    const broken = (changes: Partial<Facts>) => brokenLimit(limits, { ...good, ...changes }, words)?.split(" ")[0] ?? null;
    expect([broken({}), broken({ type: "image/heic" }), broken({ width: null }), broken({ seconds: null })]).toEqual([null, null, null, null]);
    expect([broken({ type: "text/html" }), broken({ size: 1001 }), broken({ width: 299 }), broken({ height: 601 })]).toEqual(["limitTypes", "limitSize", "limitSideMin", "limitSideMax"]);
    expect([broken({ width: 300, height: 601 }), broken({ seconds: 1.7 })]).toEqual(["limitSideMax", "limitSeconds"]);
    expect(broken({ isBroken: true, width: null, height: null })).toBe("limitReadable");
    expect(brokenLimit({ ...limits, side_max: null }, { ...good, height: 601 }, words)).toContain("limitAspect");
  });
});
