import { expect, it } from "vitest";
import { digitsOf } from "@/lib/digits";

it.each([
  ["123456", "123456"],
  ["１２３４５６", "123456"],
  ["【元境】验证码 12 34-56", "123456"],
  ["１２３４５６７", "123456"],
  ["abc", ""],
])("takes the digits of %s", (typed, digits) => {
  expect(digitsOf(typed, 6)).toBe(digits);
});
