import { expect, it } from "vitest";
import { costOf, tokensOf, tokensOfMessages } from "@/pages/chat/tokens";

const tier = { cache_read: "1", cache_write: "1" };
const tiers = [
  { ...tier, input_above: 0, input_up_to: 100, input: "2.5", output: "10" },
  { ...tier, input_above: 100, input_up_to: null, input: "5", output: "20" },
];

it("counts characters of Chinese one by one, and other text by four bytes", () => {
  expect([tokensOf(""), tokensOf("你好，世界"), tokensOf("twelve bytes"), tokensOf("好 good")]).toEqual([0, 5, 3, 2]);
});

it("counts messages and their pictures", () => {
  const image = { type: "image_url" as const, image_url: { url: `data:${"A".repeat(9999)}` } };
  expect(tokensOfMessages([{ role: "user", content: [image, { type: "text", text: "你好" }] }, { role: "assistant", content: "好" }])).toBe(267);
});

it("costs what the tier of its input says, in whole numbers, never less than it is", () => {
  expect(costOf(tiers, 100, 10)).toBe("0.00035");
  expect(costOf(tiers, 101, 10)).toBe("0.000705");
  expect(costOf(tiers, 1, 0)).toBe("0.000003"); // 0.0000025
  expect(costOf([], 1, 1)).toBeNull();
});
