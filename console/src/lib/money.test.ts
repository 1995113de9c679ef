import { describe, expect, it } from "vitest";
import { decimal, exactYuan, nanos, parseYuan, roundedUp, sum, wholeYuan, yuan } from "@/lib/money";

describe("amounts", () => {
  it("are whole nano-yuan both ways", () => {
    for (const text of ["0", "0.000000001", "1", "12.5", "-3.000000007", "9007199254740993.123456789"])
      expect(decimal(nanos(text))).toBe(text);
  });
  it("are added without losing a digit", () => {
    expect(sum(["0.1", "0.2"])).toBe("0.3");
    expect(sum(["9007199254740993", "0.000000001"])).toBe("9007199254740993.000000001");
    expect(sum([])).toBe("0");
  });
  it("are shown with every digit that counts", () => {
    expect(yuan("1234567.5")).toBe("¥1,234,567.50");
    expect(yuan("0.0008672")).toBe("¥0.0008672");
    expect(yuan("-3")).toBe("−¥3.00");
    expect(yuan("3", { sign: true })).toBe("+¥3.00");
    expect(yuan("0", { sign: true })).toBe("¥0.00");
  });
  it("are rounded up to the fen where a glance is enough", () => {
    expect(["9.423536", "9.42", "9.430000001", "0.0012", "0", "-1.239"].map(roundedUp)).toEqual(["¥9.43", "¥9.42", "¥9.44", "¥0.0012", "¥0.00", "−¥1.239"]);
  });
  it("are read as people type them", () => {
    expect(parseYuan(" ¥1,000.50 ")).toBe("1000.5");
    for (const text of ["", "-1", "1e3", "1.0000000001", "abc", "."]) expect(parseYuan(text)).toBeNull();
  });
  it("refuse what is none", () => {
    expect(() => nanos("1.2.3")).toThrow(RangeError);
  });
});

it("amounts to choose from are short, and products keep every digit", () => {
  expect([wholeYuan("1000"), wholeYuan("0.5")]).toEqual(["¥1,000", "¥0.50"]);
  expect(exactYuan("1234.000000000004512")).toBe("¥1,234.000000000004512");
  expect([exactYuan("0"), exactYuan("0.333333333333333…")]).toEqual(["¥0.00", "¥0.333333333333333…"]);
  expect(() => exactYuan("1e3")).toThrow(RangeError);
});
