import { expect, it } from "vitest";
import { addDays, dayOf, daysFrom, isDay, rangeFault } from "@/lib/days";

it("days are those of UTC+8", () => {
  expect(dayOf(Date.parse("2026-11-30T15:59:59Z"))).toBe("2026-11-30");
  expect(dayOf(Date.parse("2026-11-30T16:00:00Z"))).toBe("2026-12-01");
});

it("days are counted over the ends of months and years", () => {
  expect(addDays("2026-12-31", 1)).toBe("2027-01-01");
  expect(daysFrom("2026-02-27", "2026-03-01")).toEqual(["2026-02-27", "2026-02-28", "2026-03-01"]);
  expect(daysFrom("2026-03-02", "2026-03-01")).toEqual([]);
  expect(daysFrom("2020-01-01", "2026-03-01", 2)).toEqual(["2026-02-28", "2026-03-01"]);
});

it("what is no day is told apart", () => {
  expect(["2026-11-30", "2026-13-01", "x", null].map(isDay)).toEqual([true, false, false, false]);
});

it("a time that ends before it begins, or in no year, is told at its field", () => {
  expect(rangeFault("2026-11-02", "2026-11-01")).toEqual({ at: "from", why: "order" });
  expect(rangeFault("0002-11-02", "2026-11-01")).toEqual({ at: "from", why: "year" });
  expect(rangeFault("2026-11-02", "9999-11-01")).toEqual({ at: "to", why: "year" });
  for (const [from, to] of [["2026-11-01", "2026-11-01"], ["2026-11-01", null], [null, null]] as const) expect(rangeFault(from, to)).toBeNull();
});
