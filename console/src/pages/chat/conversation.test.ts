import { describe, expect, it } from "vitest";
import type { ServerEvent } from "@/lib/sse";
import { newAnswer, type Piece, reduce, requestFor, type Turn } from "@/pages/chat/conversation";
import { BrokenOffError, readAnswer } from "@/pages/chat/stream";

const PLAIN = { system: "", values: {} };

function turn(text: string, ...answers: string[]): Turn {
  const made = answers.map((one) => ({ ...newAnswer(requestFor("m", 0, [], { text, images: [] }, PLAIN)), text: one }));
  return { id: text, text, images: [], answers: made };
}

describe("the request of a column", () => {
  const asked = { text: "now", images: [] };

  it("has what was said in this column, and asks for usage", () => {
    const before = [turn("q1", "left", "right"), turn("q2", "", "two")];
    expect(requestFor("m", 1, before, asked, { system: " be brief ", values: { temperature: 0.5 } })).toEqual({
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
    });
  });

  it("leaves out what was not answered, and lets a new column go on from the first", () => {
    const before = [turn("q1", "left"), turn("q2", "")];
    expect(requestFor("m", 2, before, asked, PLAIN).messages.map((one) => one.content)).toEqual(["q1", "left", "now"]);
  });

  it("has pictures before the text", () => {
    const [message] = requestFor("m", 0, [], { text: "what?", images: ["data:image/png;base64,AA"] }, PLAIN).messages;
    expect(message?.content).toEqual([
      { type: "image_url", image_url: { url: "data:image/png;base64,AA" } },
      { type: "text", text: "what?" },
    ]);
  });
});

describe("a conversation", () => {
  it("adds pieces to one answer, and begins it again", () => {
    const piece = (text: string): Piece => ({ text, usage: null });
    let turns = reduce([turn("q", "", "")], { kind: "piece", turn: "q", column: 1, piece: piece("a"), elapsedMs: 1 });
    turns = reduce(turns, { kind: "piece", turn: "q", column: 1, piece: piece("b"), elapsedMs: 2 });
    turns = reduce(turns, { kind: "end", turn: "q", column: 1, state: "done", error: null, elapsedMs: 3 });
    expect(turns[0]?.answers.map((one) => [one.text, one.state, one.elapsedMs])).toEqual([
      ["", "running", 0],
      ["ab", "done", 3],
    ]);
    const request = requestFor("other", 1, [], { text: "q", images: [] }, PLAIN);
    turns = reduce(turns, { kind: "again", turn: "q", column: 1, request });
    expect(turns[0]?.answers[1]).toMatchObject({ model: "other", text: "", state: "running" });
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
