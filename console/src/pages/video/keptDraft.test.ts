import { beforeEach, expect, it } from "vitest";
import { addressOf, keepDraft, restoreDraft } from "@/pages/video/keptDraft";

/** As much of a tab's storage as is used, with room for so many characters. */
function storage(room: number): Storage {
  const kept = new Map<string, string>();
  return {
    get length() {
      return kept.size;
    },
    key: (at: number) => [...kept.keys()][at] ?? null,
    getItem: (name: string) => kept.get(name) ?? null,
    removeItem: (name: string) => void kept.delete(name),
    setItem(name: string, text: string) {
      if (text.length > room) throw new DOMException("full", "QuotaExceededError");
      kept.set(name, text);
    },
  } as Storage;
}

let tab = storage(100);
const draft = { search: "model=a", typed: { prompt: "a cat" }, reused: null };

beforeEach(() => {
  tab = storage(100);
});

it("a draft is there again for its customer, and gone for the next one", () => {
  keepDraft(tab, "cus_a", draft);
  expect(restoreDraft(tab, "cus_a")).toEqual(draft);
  expect(restoreDraft(tab, "cus_b")).toBeNull();
  expect(restoreDraft(tab, "cus_a")).toBeNull();
});

it("where there is no room an older one does not stay in its place", () => {
  keepDraft(tab, "cus_a", draft);
  keepDraft(tab, "cus_a", { ...draft, typed: { prompt: "x".repeat(200) } });
  expect(restoreDraft(tab, "cus_a")).toBeNull();
});

it("an address is the same whatever task it began with", () => {
  expect(addressOf(new URLSearchParams("model=a&from=1&seed=7"))).toBe("model=a&seed=7");
});
