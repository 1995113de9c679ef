import { expect, it } from "vitest";
import { accepted, keyOf } from "@/pages/video/submission";

it("what is sent again has the same key until it was accepted", () => {
  const first = keyOf("a cat");
  expect(first).toMatch(/^[0-9a-f]{32}$/);
  expect(keyOf("a cat")).toBe(first);
  accepted(first);
  const second = keyOf("a cat");
  expect(second).not.toBe(first);
  accepted(first); // late: it is not about this one
  expect(keyOf("a cat")).toBe(second);
});

it("something else has another key", () => {
  const first = keyOf("a cat");
  expect(keyOf("a dog")).not.toBe(first);
  expect(keyOf("a cat")).not.toBe(first);
});
