import { beforeEach, describe, expect, it } from "vitest";
import { ApiError, OfflineError } from "@/api/errors";
import { forgetPrivate } from "@/lib/privacy";
import { type Answer, type Column, newAnswer, planFor, type Turn } from "@/pages/chat/conversation";
import { EMPTY, forgetOthers, keep, type Kept, restore } from "@/pages/chat/kept";

/** A tab's storage with so much room. */
function storageOf(room: number): Storage {
  const kept = new Map<string, string>();
  return {
    get length() {
      return kept.size;
    },
    key: (at) => [...kept.keys()][at] ?? null,
    getItem: (name) => kept.get(name) ?? null,
    removeItem: (name) => void kept.delete(name),
    clear: () => kept.clear(),
    setItem: (name, text) => {
      if (text.length > room) throw new DOMException("full", "QuotaExceededError");
      kept.set(name, text);
    },
  };
}

const PICTURE = `data:image/png;base64,${"A".repeat(3000)}`;
const column: Column = { model: "m", book: "test", tiers: [], takesImages: true, settings: { system: "", values: {} } };
const asked = { text: "what?", images: [PICTURE] };

function keptWith(...answers: Partial<Answer>[]): Kept {
  const made = answers.map((one, at) => ({ ...newAnswer(`a${at}`, column, planFor(column, at, [], asked)), state: "done" as const, ...one }));
  const turn: Turn = { id: "t", ...asked, imagesLost: 0, answers: made, replaced: [] };
  return { turns: [turn], draft: { text: "half a", images: [PICTURE] }, settings: { search: "model=m", typed: { system: "be brief" } } };
}

describe("what is kept in a tab", () => {
  let storage: Storage;
  beforeEach(() => {
    storage = storageOf(1_000_000);
  });

  it("is there again, whole", () => {
    const kept = keptWith({ text: "it is", usageId: "u", usage: { prompt_tokens: 1, completion_tokens: 2, cost: "0.1" } });
    expect(keep(storage, "c1", kept)).toBe("all");
    expect(restore(storage, "c1")).toMatchObject(kept);
  });

  it("knows errors again, and that what was coming has broken off", () => {
    const refused = new ApiError(429, "insufficient_quota", "no money", null, 3, "req_1");
    keep(storage, "c1", keptWith({ state: "running", text: "ha" }, { state: "failed", error: refused }, { state: "failed", error: new OfflineError() }));
    const [first, second, third] = restore(storage, "c1").turns[0]?.answers ?? [];
    expect([first?.state, first?.text]).toEqual(["broken", "ha"]);
    expect(second?.error).toMatchObject({ status: 429, code: "insufficient_quota", message: "no money", retryAfter: 3, requestId: "req_1" });
    expect(second?.error).toBeInstanceOf(ApiError);
    expect(third?.error).toBeInstanceOf(OfflineError);
  });

  it("is all but the pictures where there is no room for them, and says how many are lost", () => {
    storage = storageOf(2_500);
    expect(keep(storage, "c1", keptWith({ text: "it is" }))).toBe("text");
    const { turns, draft } = restore(storage, "c1");
    expect([turns[0]?.images, turns[0]?.imagesLost, draft]).toEqual([[], 1, { text: "half a", images: [] }]);
    expect(JSON.stringify(turns[0]?.answers[0]?.request)).toContain("data:image/png;base64,AA");
  });

  it("is nothing rather than something old", () => {
    keep(storage, "c1", keptWith());
    storage.setItem = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
    expect(keep(storage, "c1", keptWith())).toBe("none");
    expect(restore(storage, "c1")).toEqual(EMPTY);
  });

  it("is one customer's, and goes when another one comes", () => {
    keep(storage, "c1", keptWith());
    expect(restore(storage, "c2")).toEqual(EMPTY);
    forgetOthers(storage, "c1");
    expect(restore(storage, "c1").turns).toHaveLength(1);
    forgetOthers(storage, "c2");
    expect(restore(storage, "c1")).toEqual(EMPTY);
  });

  it("goes with who signs out", () => {
    globalThis.sessionStorage = storage;
    storage.setItem("else", "stays");
    keep(storage, "c1", keptWith());
    forgetPrivate();
    expect([restore(storage, "c1"), storage.getItem("else")]).toEqual([EMPTY, "stays"]);
  });

  it("is not read where it is of another version, or broken", () => {
    keep(storage, "c1", keptWith());
    const name = storage.key(0) ?? "";
    storage.setItem(name, (storage.getItem(name) ?? "").replace('\\"version\\":2', '\\"version\\":1'));
    expect(restore(storage, "c1")).toEqual(EMPTY);
    storage.setItem(name, "{");
    expect(restore(storage, "c1")).toEqual(EMPTY);
  });
});
