import i18next from "i18next";
import { beforeAll, expect, it } from "vitest";
import { loadReasons } from "@/i18n/reasons";
import { reasonInChinese } from "@/ui/reasonWords";

beforeAll(async () => {
  await i18next.init({ lng: "zh" });
  await loadReasons();
});

it.each([
  ["the file is empty", "文件为空"],
  ["a whole number from 4 to 12", "4 至 12 之间的整数"],
  ["a text of at most 10000 characters", "最多 10000 字的文字"],
  ["one of 480p, 720p", "可选值：480p, 720p"],
  ["the picture is 20 × 20 pixels, the shorter side must be at least 300", "图片为 20 × 20 像素，短边至少 300 像素"],
  ["from 1.00 to 50000.00 CNY", "1.00 至 50000.00 元之间"],
])("%s", (reason, words) => {
  expect(reasonInChinese(reason)).toBe(words);
});

it("what is no reason of the API stays what it is, whatever is written in it", () => {
  expect(reasonInChinese("the weather")).toBeNull();
  expect(reasonInChinese("there is no offer '$& {{name}}'")).toBe("没有模型 '$& {{name}}'");
});
