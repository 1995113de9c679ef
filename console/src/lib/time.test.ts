import i18next from "i18next";
import { beforeAll, expect, it, vi } from "vitest";
import { exactMoment, moment } from "@/lib/time";

beforeAll(async () => {
  await i18next.init({ lng: "en" });
});

const clock = (minutes: number) => vi.spyOn(Date.prototype, "getTimezoneOffset").mockReturnValue(minutes);

it("a moment is on the day of UTC+8, by which charges are added up", () => {
  clock(-480);
  expect(exactMoment("2026-11-30T16:00:01Z")).toBe("Dec 1, 2026, 12:00:01 AM");
  expect(moment("2026-11-30T15:59:59Z")).toBe("Nov 30, 2026, 11:59 PM");
});

it("the zone is named where the browser's clock is another one", () => {
  clock(300);
  expect(moment("2026-11-30T15:59:59Z")).toBe("Nov 30, 2026, 11:59 PM UTC+8");
});
