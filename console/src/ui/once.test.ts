import { describe, expect, test } from "vitest";
import { ApiError, OfflineError } from "@/api/errors";
import { sharedReason } from "@/ui/once";

describe("what would be said of anything else as well", () => {
  test.each([
    ["no network", new OfflineError(), "offline"],
    ["a fault", new ApiError(502, "http_502", "502 Bad Gateway"), "502 http_502"],
    ["too often", new ApiError(429, "too_many_attempts", "Slow down"), "429 too_many_attempts"],
    ["who asks", new ApiError(403, "customer_blocked", "Blocked"), "403 customer_blocked"],
    ["what was asked", new ApiError(400, "invalid_parameter", "No such day", "from"), null],
    ["what is not there", new ApiError(404, "not_found", "There is no such page"), null],
    ["one field", new ApiError(429, "too_many_codes", "Wait", "mobile"), null],
    ["a mistake of the page", new TypeError("undefined"), null],
  ])("%s", (_, error, reason) => expect(sharedReason(error)).toBe(reason));
});
