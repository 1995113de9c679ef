import { expect, it } from "vitest";
import type { Model } from "@/api/models";
import { exampleChat } from "@/pages/models/examples";

const sold = (...names: [model: string, operation: string][]) => names.map(([model, operation]) => ({ model, operation })) as unknown as Model[];

it("examples name a model of chat that is sold", () => {
  expect(exampleChat(sold(["wan2.6-t2v", "text_to_video"], ["kimi-k2.6", "chat"], ["qwen3-max", "chat"]))).toBe("qwen3-max");
  expect(exampleChat(sold(["wan2.6-t2v", "text_to_video"], ["kimi-k2.6", "chat"], ["glm-5", "chat"]))).toBe("kimi-k2.6");
});
