import { expect, it } from "vitest";
import type { DaySum } from "@/api/usage";
import { chartOf, REST, shareOf } from "@/pages/usage/series";

const of = (day: string, model: string, charge: string): DaySum => ({ day, model, key_id: null, requests: 1, input_tokens: 1, output_tokens: 1, charge });

it("days without usage are there, the largest comes first", () => {
  const chart = chartOf([of("2026-11-01", "a", "0.1"), of("2026-11-03", "b", "0.3")], "model", "2026-11-01", "2026-11-03");
  expect(chart.days).toHaveLength(3);
  expect(chart.series.map((one) => one.id)).toEqual(["b", "a"]);
  expect(chart.series[0]?.charges).toEqual(["0", "0", "0.3"]);
  expect(chart.sums).toEqual(["0.1", "0", "0.3"]);
});

it("what is too small for a colour is added up, and nothing is lost", () => {
  const data = Array.from({ length: 9 }, (_, n) => of("2026-11-01", `m${n}`, `0.0${n + 1}`));
  const chart = chartOf(data, "model", "2026-11-01", "2026-11-01");
  expect(chart.series).toHaveLength(6);
  expect(chart.series.at(-1)).toMatchObject({ id: REST, total: "0.1" });
  expect(chart.sums).toEqual(["0.45"]);
});

it("a part of a sum is never told as nothing of it", () => {
  expect([0n, 1n, 999n, 1_000n, 333_333n, 999_999n, 1_000_000n].map((part) => shareOf(part, 1_000_000n))).toEqual([
    "0%", "<0.1%", "<0.1%", "0.1%", "33.3%", "99.9%", "100%",
  ]);
  expect(shareOf(0n, 0n)).toBe("0%");
});
