import { expect, it } from "vitest";
import { digits, exactSum, isConsistent, roundedUp } from "@/pages/usage/exact";

const line = (quantity: number, rate: string, per = 1_000_000) => ({ meter: "input_tokens", quantity, rate, per, amount: "" });

it("lines are added up exactly and rounded up once", () => {
  const sum = exactSum([line(7, "0.0000005"), line(3, "0.0000001")]);
  expect(digits(sum)).toBe("0.0000000000038");
  expect(roundedUp(sum)).toBe("0.000000001");
});

it("digits that never end are told so", () => {
  const sum = exactSum([line(1, "1.00", 3)]);
  expect(digits(sum)).toBe("0.333333333333333…");
  expect(roundedUp(sum)).toBe("0.333333334");
  expect(digits(exactSum([line(5, "0.10", 1)]))).toBe("0.50");
  expect(digits(exactSum([]))).toBe("0.00");
});

const price = { id: "price_1", version: 1, effective_from: "2026-01-01T00:00:00Z", source: "" };
const whole = { price, lines: [line(20, "2.00"), line(30, "8.00")], rounding: "", total: "0.00028", ceiling: "0.01", charge: "0.00028", overrun: "0.00", details: {}, text: [] };

it("a charge is the smaller one of total and ceiling", () => {
  expect(isConsistent(whole)).toBe(true);
  expect(isConsistent({ ...whole, total: "0.00029" })).toBe(false);
  expect(isConsistent({ ...whole, charge: "0.00027" })).toBe(false);
  expect(isConsistent({ ...whole, ceiling: "0.0001", charge: "0.0001" })).toBe(true);
});
