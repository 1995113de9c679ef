import { expect, it } from "vitest";
import { type Answer, type Column, newAnswer, planFor, reduce, type Turn } from "@/pages/chat/conversation";
import { spendingOf, totals } from "@/pages/chat/spending";

const tiers = [{ input_above: 0, input_up_to: null, input: "1", cache_read: "1", cache_write: "1", output: "10" }];
const column: Column = { model: "m", book: "test", tiers, takesImages: true, settings: { system: "", values: {} } };

function answer(id: string, rest: Partial<Answer> = {}): Answer {
  return { ...newAnswer(id, column, planFor(column, 0, [], { text: "你好", images: [] })), ...rest };
}

function turn(...answers: Answer[]): Turn {
  return { id: "t", text: "你好", images: [], imagesLost: 0, answers, replaced: [] };
}

const usage = (cost: string) => ({ prompt_tokens: 5, completion_tokens: 2, cost });

it("is about right while it comes, and exact once it was counted", () => {
  const running = answer("a", { usageId: "u", text: "一二三", reasoning: "四" });
  expect(spendingOf(running)).toEqual({ input: 6, output: 4, cost: "0.000046", isAbout: true });
  expect(spendingOf({ ...running, usage: usage("0.01") })).toEqual({ input: 5, output: 2, cost: "0.01", isAbout: false });
});

it("is nothing before a provider has taken it", () => {
  expect(totals([turn(answer("a"))])).toEqual([]);
});

it("has every call, also those whose answer was replaced or stopped", () => {
  const first = answer("a", { state: "done", usageId: "u1", usage: usage("0.1") });
  let turns = reduce([turn(first)], { kind: "again", turn: "t", column: 0, answer: answer("b", { usageId: "u2" }) });
  turns = reduce(turns, { kind: "end", id: "b", state: "stopped", error: null, elapsedMs: 1 });
  expect(totals(turns)).toEqual([{ book: "test", tokens: 13, cost: "0.100006", isAbout: true }]);
  turns = reduce(turns, { kind: "again", turn: "t", column: 0, answer: answer("c") });
  turns = reduce(turns, { kind: "settle", id: "b", usage: usage("0.02") });
  expect(totals(turns)).toEqual([{ book: "test", tokens: 14, cost: "0.12", isAbout: false }]);
});

it("keeps play money apart", () => {
  const live = answer("a", { book: "live", usageId: "u", usage: usage("1") });
  const test = answer("b", { usageId: "u", usage: usage("2") });
  expect(totals([turn(live, test)]).map((one) => [one.book, one.cost])).toEqual([
    ["live", "1"],
    ["test", "2"],
  ]);
});
