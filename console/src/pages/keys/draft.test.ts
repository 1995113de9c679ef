import { expect, it } from "vitest";
import { bodyOf, changesOf, EMPTY, faultsOf } from "@/pages/keys/draft";

it("an empty form asks for a test key without limits", () => {
  expect(bodyOf(EMPTY)).toMatchObject({ book: "test", models: [], networks: [], budget: null, concurrency: null, expires_at: null });
});

it("lists are typed as lines or with commas, amounts as people write them", () => {
  const body = bodyOf({ ...EMPTY, models: "a\n b ,c，\n", networks: "10.0.0.0/8", budget: "¥1,000.50", tokens_per_minute: " 90 " });
  expect(body).toMatchObject({ models: ["a", "b", "c"], networks: ["10.0.0.0/8"], budget: "1000.5", tokens_per_minute: 90 });
});

it("what is no count and no amount is told at its field", () => {
  expect(faultsOf({ ...EMPTY, concurrency: "0", tokens_per_minute: "1.5", budget: "-3" })).toEqual({
    concurrency: "wrongCount",
    tokens_per_minute: "wrongCount",
    budget: "wrongAmount",
  });
  expect(faultsOf({ ...EMPTY, concurrency: "7", budget: "0" })).toEqual({});
});

it("a change sends what was changed, and what was emptied as null", () => {
  const before = { ...EMPTY, name: "a", budget: "5.00", concurrency: "2" };
  expect(changesOf(before, { ...before, name: "b", concurrency: "" })).toEqual({ name: "b", concurrency: null });
});
