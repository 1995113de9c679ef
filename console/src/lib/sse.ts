/** Server-sent events of a body that comes in pieces, wherever it is cut. */

export interface ServerEvent {
  event: string;
  data: string;
}

const LINE_END = /\r\n|\n|\r/;

/**
 * Makes a function that takes the next piece of text and gives the events that are whole by then. Comments and fields
 * without a meaning here are passed over; an event that never ends is never given, as the standard wants it.
 */
export function eventReader(): (piece: string) => ServerEvent[] {
  let rest = "";
  let wasReturn = false; // a line has ended with it; a line feed that follows belongs to it
  let event = "";
  let data: string[] = [];

  function take(line: string): ServerEvent | null {
    if (line === "") {
      const made = data.length ? { event: event || "message", data: data.join("\n") } : null;
      event = "";
      data = [];
      return made;
    }
    const [, name = "", value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (name === "data") data.push(value);
    if (name === "event") event = value;
    return null;
  }

  return (piece) => {
    const lines = (rest + (wasReturn && piece.startsWith("\n") ? piece.slice(1) : piece)).split(LINE_END);
    wasReturn = piece ? piece.endsWith("\r") : wasReturn;
    rest = lines.pop() ?? "";
    return lines.map(take).filter((made) => made !== null);
  };
}

/** The events of an answer as they come. */
export async function* serverEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  const read = eventReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield* read(part.value);
  } finally {
    await reader.cancel();
  }
}
