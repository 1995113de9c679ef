import { describe, expect, it } from "vitest";
import type { Model } from "@/api/models";
import { exampleOf, inBrief, inOrder, isWanted, type Wanted } from "@/pages/models/prices";

const price = {
  id: "price_1",
  version: 1,
  effective_from: "2026-06-01T00:00:00Z",
  currency: "CNY",
  source: "",
  tiers: [],
  rates: [],
};
const tier = { input_above: 0, input_up_to: null, cache_read: "1", cache_write: "1" };
const rate = { per: 1, model: null, resolution: null, audio: null, off_peak: null, video_input: null };

const model: Model = {
  object: "model",
  llmid: "VaKNrpZ37Ybrg5DWGio6b",
  model: "qwen3-max",
  label: "Qwen3 Max",
  provider: "Alibaba Cloud",
  operation: "chat",
  description: "Strong at tools.",
  description_zh: "擅长工具调用。",
  aliases: ["qwen-max"],
  capabilities: ["stream", "tools"],
  enabled_from: null,
  enabled_until: null,
  parameters: {},
  price,
  price_text: "",
  price_text_zh: "",
  chat: null,
  video: null,
};
const anything: Wanted = { text: "", operation: null, provider: null, capability: null };

describe("a price in brief", () => {
  it("is the lowest of all tiers", () => {
    const tiers = [
      { ...tier, input: "10", output: "9.5" },
      { ...tier, input: "9", output: "30" },
    ];
    expect(inBrief({ ...price, tiers })).toEqual({ input: "9", output: "9.5", isFrom: true });
  });
  it("is the lowest rate of videos, in their unit", () => {
    const rates = [
      { ...rate, meter: "video_seconds", rate: "1.60" },
      { ...rate, meter: "video_seconds", rate: "0.90" },
    ];
    expect(inBrief({ ...price, rates })).toEqual({ rate: "0.90", meter: "video_seconds", per: 1, isFrom: true });
    const credits = [{ ...rate, meter: "provider_credits", rate: "0.0355" }];
    expect(inBrief({ ...price, rates: credits })).toMatchObject({ rate: "0.0355", isFrom: false });
  });
});

const details = { family: "", models: [], media: [], needs_any_of: [], sizes: {}, expected_seconds: null, under_way_max: 1000 };
const filmed = (label: string, ...amounts: [resolution: string, amount: string][]): Model => ({
  ...model,
  label,
  operation: "text_to_video",
  video: { ...details, examples: amounts.map(([resolution, amount]) => ({ model: label, resolution, seconds: 5, amount })) },
});

describe("models by price", () => {
  it("are compared by a video of the usual size", () => {
    const both = filmed("A", ["480p", "1.00"], ["720p", "2.00"]);
    expect([exampleOf(both)?.amount, exampleOf(filmed("B", ["540p", "1.50"]))?.amount, exampleOf(model)]).toEqual(["2.00", "1.50", undefined]);
  });
  it("come in the order of it, chat first, and last what has no price", () => {
    const tiers = [{ ...tier, input: "1", output: "2" }];
    const chats = [model, { ...model, label: "Cheap", price: { ...price, tiers } }, { ...model, label: "Dear", price: { ...price, tiers: [{ ...tier, input: "2", output: "10" }] } }];
    const videos = [filmed("A", ["720p", "10.00"]), filmed("B", ["480p", "1.00"], ["720p", "9.00"])];
    expect(inOrder([...videos, ...chats], "price").map((one) => one.label)).toEqual(["Cheap", "Dear", "Qwen3 Max", "B", "A"]);
    expect(inOrder(videos).map((one) => one.label)).toEqual(["A", "B"]);
  });
});

describe("the list of models", () => {
  it("is searched by names, aliases and both descriptions", () => {
    for (const text of ["QWEN max", "qwen-max", "工具", "alibaba", "VaKN", ""])
      expect(isWanted(model, { ...anything, text })).toBe(true);
    expect(isWanted(model, { ...anything, text: "qwen vidu" })).toBe(false);
  });
  it("is filtered by what models can do, also beside what they are listed under", () => {
    const both = { ...model, operation: "image_to_video", capabilities: ["image_to_video", "text_to_video"] };
    expect(isWanted(both, { ...anything, operation: "text_to_video" })).toBe(true);
    expect(isWanted(model, { ...anything, operation: "text_to_video" })).toBe(false);
    expect(isWanted(model, { ...anything, capability: "tools", provider: "Alibaba Cloud" })).toBe(true);
    expect(isWanted(model, { ...anything, capability: "images" })).toBe(false);
  });
  it("begins with chat", () => {
    const video = { ...model, label: "A", operation: "text_to_video" };
    expect(inOrder([video, model]).map((one) => one.operation)).toEqual(["chat", "text_to_video"]);
  });
});
