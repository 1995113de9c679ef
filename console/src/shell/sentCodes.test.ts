import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { afterError, endOf, type SentCode } from "@/api/codes";
import { ApiError } from "@/api/errors";
import { forgetCodes, keepCode, keptCode } from "@/shell/sentCodes";

const NOW = Date.parse("2026-11-30T08:00:00Z");
const sent = (id: string, minutes = 5): SentCode => ({
  object: "challenge",
  challenge_id: id,
  expires_at: new Date(NOW + minutes * 60_000).toISOString(),
  resend_after_seconds: 60,
  attempts_max: 3,
  outbox: null,
  resendAt: NOW + 60_000,
  misses: 0,
});

beforeEach(() => {
  const kept = new Map<string, string>();
  vi.stubGlobal("sessionStorage", {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, text: string) => kept.set(name, text),
    removeItem: (name: string) => kept.delete(name),
  });
  vi.useFakeTimers({ now: NOW });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

it("a code is found again by its number, however that is written, until its time is over", () => {
  keepCode("13812340001", sent("chl_1"));
  keepCode("+1 555 0100", sent("chl_2", 1));
  expect(keptCode()?.sent.challenge_id).toBe("chl_2");
  for (const written of ["+86 138 1234 0001", "0086-13812340001", "１３８１２３４０００１"])
    expect(keptCode(written)?.sent.challenge_id).toBe("chl_1");
  expect(keptCode("13812340002")).toBeNull();
  vi.setSystemTime(NOW + 2 * 60_000);
  expect(keptCode()?.sent.challenge_id).toBe("chl_1");
  vi.setSystemTime(NOW + 5 * 60_000);
  expect(keptCode()).toBeNull();
});

it("a newer code of a number takes the place of the one before, and who is in has none", () => {
  keepCode("13812340001", sent("chl_1"));
  keepCode("+8613812340001", sent("chl_2"));
  expect(keptCode("13812340001")?.sent.challenge_id).toBe("chl_2");
  forgetCodes();
  expect(keptCode()).toBeNull();
});

it("a code that was mistyped as often as it may be, or is too old, is told to be over", () => {
  let code: SentCode | null = sent("chl_1");
  code = afterError(code, new ApiError(429, "too_many_attempts", ""));
  for (let count = 0; count < 2; count += 1) code = afterError(code, new ApiError(403, "wrong_code", ""));
  expect(code && endOf(code, NOW)).toBeNull();
  expect(code && endOf(code, NOW + 5 * 60_000)).toBe("expired");
  code = afterError(code, new ApiError(403, "wrong_code", ""));
  expect(code && endOf(code, NOW)).toBe("mistyped");
  expect(afterError(null, new ApiError(403, "wrong_code", ""))).toBeNull();
});
