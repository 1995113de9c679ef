import { describe, expect, it } from "vitest";
import { eventReader, serverEvents, type ServerEvent } from "@/lib/sse";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function streamOf(pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
}

async function all(pieces: readonly Uint8Array[]): Promise<ServerEvent[]> {
  const found: ServerEvent[] = [];
  for await (const one of serverEvents(streamOf(pieces))) found.push(one);
  return found;
}

const SAMPLE = [
  ": keep-alive",
  "",
  'data: {"text": "你好，😀"}',
  "",
  "event: error",
  'data: {"error": {"code": "x"}}',
  "id: 7",
  "",
  "data: one",
  "data:two",
  "",
  "data: [DONE]",
  "",
  "",
];
const EXPECTED = [
  { event: "message", data: '{"text": "你好，😀"}' },
  { event: "error", data: '{"error": {"code": "x"}}' },
  { event: "message", data: "one\ntwo" },
  { event: "message", data: "[DONE]" },
];

describe.each([
  ["line feeds", "\n"],
  ["CR LF", "\r\n"],
  ["carriage returns", "\r"],
])("events with %s", (_, end) => {
  const whole = bytes(SAMPLE.join(end));

  it("are the same wherever the bytes are cut once", async () => {
    for (let at = 0; at <= whole.length; at++)
      expect(await all([whole.slice(0, at), whole.slice(at)])).toEqual(EXPECTED);
  });

  it("are the same byte by byte", async () => {
    expect(await all([...whole].map((one) => Uint8Array.of(one)))).toEqual(EXPECTED);
  });
});

describe("the reader of events", () => {
  it("passes over comments, empty events, and a byte order mark", async () => {
    expect(await all([bytes("\ufeff: hi\n\nevent: nothing\n\ndata: a\n\n")])).toEqual([{ event: "message", data: "a" }]);
  });
  it("forgets the name of an event that has ended", () => {
    expect(eventReader()("event: error\ndata: a\n\ndata: b\n\n").map((one) => one.event)).toEqual(["error", "message"]);
  });
  it("gives an event at once, also before the next piece", () => {
    const read = eventReader();
    expect(read("data: a\n")).toEqual([]);
    expect(read("\n")).toEqual([{ event: "message", data: "a" }]);
  });
  it("does not give an event that was cut off", async () => {
    for (const rest of ["data: half", "data: half\n", "data: half\r"])
      expect(await all([bytes(`data: a\n\n${rest}`)])).toEqual([{ event: "message", data: "a" }]);
  });
  it("keeps blanks and colons of the data, but for the first blank", () => {
    expect(eventReader()("data:  a: b \n\n")).toEqual([{ event: "message", data: " a: b " }]);
  });
});
