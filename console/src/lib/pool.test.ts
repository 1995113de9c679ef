import { expect, it } from "vitest";
import { pack, unpack } from "@/lib/pool";

it("keeps every value, and long texts once", () => {
  const long = "长".repeat(1000);
  const value = { a: long, b: [long, "short", 1, null, true, `${long}!`], c: "\u00010", d: "" };
  const text = pack(value);
  expect(unpack(text)).toEqual(value);
  expect(text.length).toBeLessThan(2200);
});

it("changes long texts where that is asked for", () => {
  expect(unpack(pack(["x".repeat(100), "y"], (one) => one.slice(0, 3)))).toEqual(["xxx", "y"]);
});

it("refuses what it has not written", () => {
  expect(() => unpack("{}")).toThrow();
  expect(() => unpack(JSON.stringify([[], '"\\u00017"']))).toThrow(RangeError);
});
