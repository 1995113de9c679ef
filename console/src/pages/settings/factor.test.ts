import { expect, it } from "vitest";
import { secondFactor } from "@/pages/settings/factor";

it("six digits are the authenticator's, anything else is a recovery code", () => {
  expect(secondFactor(" 123 456 ")).toEqual({ totp: "123456" });
  expect(secondFactor("012345")).toEqual({ totp: "012345" });
  expect(secondFactor("ABCD-EFGH ")).toEqual({ recovery_code: "ABCD-EFGH" });
});
