import { expect, it } from "vitest";
import type { Model } from "@/api/models";
import { firstRequest } from "@/pages/keys/firstRequest";

const model = (llmid: string, operation: string, aliases: string[] = []) =>
  ({ llmid, model: `${llmid}-name`, operation, aliases, parameters: {}, video: null }) as unknown as Model;
const sold = [model("v", "text_to_video"), model("a", "chat"), model("b", "chat", ["bee"])];
const named = (allowed: string[], models = sold) => {
  const json = firstRequest(models, allowed, "en")?.json;
  return json?.["model"] ?? json?.["llmid"] ?? null;
};

it("a key without a list is tried with the first model of chat", () => {
  expect(named([])).toBe("a-name");
});

it("a key with a list is tried with what is on it, whatever it is called there", () => {
  expect(named(["bee"])).toBe("b-name");
  expect(named(["b"])).toBe("b-name");
  expect(named(["v-name"])).toBe("v");
});

it("where nothing is sold that it may use there is nothing to try", () => {
  expect(named(["gone"])).toBeNull();
  expect(named([], [])).toBeNull();
});
