import { expect, it } from "vitest";
import { draftOf, isWrongAmount, patchOf, realEdits } from "@/pages/settings/edits";

const kept = draftOf({ name: "小明", language: "zh", low_balance: "20.00" });

it("only what was touched is sent, so that what another window has changed meanwhile stays", () => {
  expect(patchOf(realEdits(kept, { name: "小红" }))).toEqual({ name: "小红" });
  expect(patchOf(realEdits(kept, { name: "小明", lowBalance: " 1,000 " }))).toEqual({ low_balance: "1000" });
  expect(patchOf(realEdits(kept, { language: "", lowBalance: "" }))).toEqual({ language: null, low_balance: null });
});

it("what is typed back is no edit", () => {
  expect(realEdits(kept, { name: "小明", language: "zh", lowBalance: "20.00" })).toEqual({});
});

it("an amount that is none is told", () => {
  expect(isWrongAmount({ lowBalance: "x" })).toBe(true);
  expect([{}, { lowBalance: "" }, { lowBalance: "20" }].map(isWrongAmount)).toEqual([false, false, false]);
});
