import { expect, it } from "vitest";
import type { Method } from "@/api/topups";
import { amountOf, choicesOf, presetsOf } from "@/pages/finance/ways";

const alipay: Method = { name: "alipay", ways: ["page", "wap", "qr"], amount_min: "1.00", amount_max: "100.00", is_confirmed_by_hand: false };
const manual: Method = { ...alipay, name: "manual", ways: ["transfer"], is_confirmed_by_hand: true };
const waysOf = (isPhone: boolean) => choicesOf([alipay, manual], isPhone).map((one) => `${one.method.name}:${one.way}`);

it("a desktop is offered its page first, and not that of telephones", () => {
  expect(waysOf(false)).toEqual(["alipay:page", "alipay:qr", "manual:transfer"]);
  expect(waysOf(true)).toEqual(["alipay:wap", "alipay:qr", "manual:transfer"]);
});

it("the only page there is stays, whatever the device", () => {
  expect(choicesOf([{ ...alipay, ways: ["wap"] }], false).map((one) => one.way)).toEqual(["wap"]);
});

it("an amount has at most two decimals, and is within the method's limits", () => {
  expect(["1", "¥12.50", "100", "0.99", "100.01", "1.001", "", "x", "-5"].map((typed) => amountOf(typed, alipay))).toEqual([
    "1", "12.5", "100", null, null, null, null, null, null,
  ]);
  expect(presetsOf(alipay)).toEqual(["10", "50", "100"]);
});
