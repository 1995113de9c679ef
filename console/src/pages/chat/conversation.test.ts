import { describe, expect, it, vi } from "vitest";
import type { ServerEvent } from "@/lib/sse";
import { type Column, newAnswer, type Piece, planFor, reduce, type Turn } from "@/pages/chat/conversation";
import { BrokenOffError, readAnswer } from "@/pages/chat/stream";

const PLAIN = { system: "", values: {} };
const PICTURE = "data:image/png;base64,AA";

function column(model = "m", rest: Partial<Column> = {}): Column {
  return { model, book: "test", tiers: [], takesImages: true, settings: PLAIN, ...rest };
}

/** A turn with these answers, of `m` or of the model that is named. */
function turn(text: string, ...answers: (string | [model: string, text: string])[]): Turn {
  const made = answers.map((one, at) => {
    const [model, said] = typeof one === "string" ? ["m", one] : one;
    return { ...newAnswer(`${text}${at}`, column(model), planFor(column(model), at, [], { text, images: [] })), text: said };
  });
  return { id: text, text, images: [], imagesLost: 0, answers: made, replaced: [] };
}

const contents = (plan: ReturnType<typeof planFor>) => plan.request.messages.map((one) => one.content);

describe("the request of a column", () => {
  const asked = { text: "now", images: [] };

  it("has what was said in this column, and asks for usage", () => {
    const before = [turn("q1", "left", "right"), turn("q2", "", "two")];
    const settings = { system: " be brief ", values: { temperature: 0.5 } };
    expect(planFor(column("m", { settings }), 1, before, asked)).toEqual({
      request: {
        model: "m",
        messages: [
          { role: "system", content: " be brief " },
          { role: "user", content: "q1" },
          { role: "assistant", content: "right" },
          { role: "user", content: "q2" },
          { role: "assistant", content: "two" },
          { role: "user", content: "now" },
        ],
        temperature: 0.5,
        stream: true,
        stream_options: { include_usage: true },
      },
      leftOut: 0,
      goesOnFrom: null,
    });
  });

  it("leaves out what was not answered, and says where a new column goes on from the first", () => {
    const before = [turn("q1", "left"), turn("q2", "")];
    const plan = planFor(column("new"), 2, before, asked);
    expect(contents(plan)).toEqual(["q1", "left", "now"]);
    expect(plan.goesOnFrom).toBe("m");
    const after = [...before, turn("q3", "l", "r", ["new", "own"])];
    expect(planFor(column("new"), 2, after, asked).goesOnFrom).toBeNull();
  });

  it("keeps a model's own answers when its column moves", () => {
    const before = [turn("q1", ["a", "of a"], ["b", "of b"])];
    expect(contents(planFor(column("b"), 0, before, asked))).toEqual(["q1", "of b", "now"]);
    expect(planFor(column("b"), 0, before, asked).goesOnFrom).toBeNull();
    expect(contents(planFor(column("c"), 1, before, asked))).toEqual(["q1", "of b", "now"]);
    const twice = [turn("q1", ["a", "first"], ["a", "second"])];
    expect(contents(planFor(column("a"), 1, twice, asked))).toEqual(["q1", "second", "now"]);
  });

  it("has pictures before the text", () => {
    const plan = planFor(column(), 0, [], { text: "what?", images: [PICTURE] });
    expect(contents(plan)).toEqual([
      [
        { type: "image_url", image_url: { url: PICTURE } },
        { type: "text", text: "what?" },
      ],
    ]);
  });

  it("has no picture for a model that takes none, now or from before, and says so", () => {
    const seen = { ...turn("q1", "it is a cat"), images: [PICTURE] };
    const only = { ...turn("", "a dog"), images: [PICTURE] };
    const plan = planFor(column("m", { takesImages: false }), 0, [seen, only], { text: "and?", images: [PICTURE, `${PICTURE}B`] });
    expect(contents(plan)).toEqual(["q1", "it is a cat", "and?"]);
    expect(plan.leftOut).toBe(2);
  });
});

describe("a conversation", () => {
  it("adds pieces to one answer, and begins it again, without forgetting the one before", () => {
    const piece = (text: string): Piece => ({ text, usage: null });
    let turns = reduce([turn("q", "", "")], { kind: "piece", id: "q1", piece: piece("a"), elapsedMs: 1 });
    turns = reduce(turns, { kind: "piece", id: "q1", piece: piece("b"), elapsedMs: 2 });
    turns = reduce(turns, { kind: "end", id: "q1", state: "done", error: null, elapsedMs: 3 });
    expect(turns[0]?.answers.map((one) => [one.text, one.state, one.elapsedMs])).toEqual([
      ["", "running", 0],
      ["ab", "done", 3],
    ]);
    const answer = newAnswer("new", column("other"), planFor(column("other"), 1, [], turn("q")));
    turns = reduce(turns, { kind: "again", turn: "q", column: 1, answer });
    expect(turns[0]?.answers[1]).toMatchObject({ model: "other", text: "", state: "running" });
    expect(turns[0]?.replaced.map((one) => one.text)).toEqual(["ab"]);
    turns = reduce(turns, { kind: "settle", id: "q1", usage: { prompt_tokens: 1, completion_tokens: 2, cost: "0.5" } });
    expect(turns[0]?.replaced[0]).toMatchObject({ isSettled: true, usage: { cost: "0.5" } });
    expect(reduce(turns, { kind: "clear" })).toEqual([]);
  });
});

describe("a stream of an answer", () => {
  async function* events(...data: unknown[]): AsyncGenerator<ServerEvent> {
    for (const one of data) yield { event: "message", data: typeof one === "string" ? one : JSON.stringify(one) };
  }
  const words = (content: string) => ({ choices: [{ delta: { content } }] });

  async function told(source: AsyncGenerator<ServerEvent>): Promise<[string, Piece[], unknown]> {
    const pieces: Piece[] = [];
    const error = await readAnswer(source, (piece) => pieces.push(piece)).catch((one: unknown) => one);
    return [pieces.map((one) => one.text ?? "").join(""), pieces, error];
  }

  it("is whole at [DONE], with its usage", async () => {
    const usage = { prompt_tokens: 1, completion_tokens: 2, cost: "0.1" };
    const thinking = { choices: [{ delta: { reasoning_content: "hm" } }] };
    const end = { choices: [{ delta: {}, finish_reason: "stop" }] };
    const [text, pieces, error] = await told(events(thinking, words("a"), words("b"), end, { choices: [], usage }, "[DONE]", words("x")));
    expect([text, error]).toEqual(["ab", undefined]);
    expect(pieces.map((one) => one.reasoning ?? "").join("")).toBe("hm");
    expect(pieces.at(-1)).toMatchObject({ usage, finish: "stop" });
  });

  it("is told as far as it has come, also while it pauses", async () => {
    let goOn = (): void => undefined;
    async function* pausing(): AsyncGenerator<ServerEvent> {
      yield* events(words("a"), words("b"), words("c"));
      await new Promise<void>((resolve) => (goOn = resolve));
      yield* events("[DONE]");
    }
    vi.useFakeTimers({ toFake: ["performance"] }); // all of it comes in no time
    const pieces: Piece[] = [];
    const reading = readAnswer(pausing(), (piece) => pieces.push(piece));
    await expect.poll(() => pieces.map((one) => one.text).join("")).toBe("abc");
    goOn();
    await reading;
    vi.useRealTimers();
  });

  it("is broken off without [DONE]; what came is there", async () => {
    const [text, , error] = await told(events(words("a"), words("b")));
    expect(text).toBe("ab");
    expect(error).toBeInstanceOf(BrokenOffError);
  });

  it("has failed where it says so; what came is there", async () => {
    const [text, , error] = await told(events(words("a"), { error: { code: "provider_unavailable", message: "gone" } }));
    expect(text).toBe("a");
    expect(error).toMatchObject({ code: "provider_unavailable", message: "gone" });
  });
});
