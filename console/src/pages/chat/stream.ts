/** One streamed answer of `POST /v1/chat/completions`. */

import { ask, errorOf } from "@/playground/calls";
import { type Access, playgroundKey } from "@/playground/key";
import { type ServerEvent, serverEvents } from "@/lib/sse";
import type { ChatRequest, Piece, Usage } from "@/pages/chat/conversation";

/** A stream that ended without `[DONE]`: what has come may not be all. */
export class BrokenOffError extends Error {
  override readonly name = "BrokenOffError";
}

const PAUSE_MS = 40; // so often what has come is shown

interface Delta {
  content?: string | null;
  reasoning_content?: string | null;
  reasoning?: string | null;
}

interface Chunk {
  error?: unknown;
  choices?: { delta?: Delta; finish_reason?: string | null }[];
  usage?: Usage | null;
}

/** Tell the pieces of an answer as they come; throws if it is refused, told to have failed, or breaks off. */
export async function streamAnswer(
  access: Access,
  request: ChatRequest,
  signal: AbortSignal,
  tell: (piece: Piece) => void,
): Promise<void> {
  const answer = await ask(access, { method: "POST", path: "/v1/chat/completions", json: request, signal });
  const { id: keyId } = await playgroundKey(access);
  tell({ usageId: answer.headers.get("x-yuanjing-usage-id"), keyId });
  if (!answer.body) throw new BrokenOffError("no body");
  try {
    await readAnswer(serverEvents(answer.body), tell);
  } catch (error) {
    if (error instanceof TypeError) throw new BrokenOffError("the connection was lost", { cause: error });
    throw error;
  }
}

/** The pieces of a stream's events, several at once if they come fast; none waits for the next one. */
export async function readAnswer(events: AsyncIterable<ServerEvent>, tell: (piece: Piece) => void): Promise<void> {
  let waiting: Piece = {};
  let told = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (Object.keys(waiting).length) tell(waiting);
    waiting = {};
    told = performance.now();
  };
  try {
    for await (const { data } of events) {
      if (data === "[DONE]") return;
      waiting = joined(waiting, pieceOf(data));
      if (performance.now() - told >= PAUSE_MS) flush();
      else timer ??= setTimeout(flush, PAUSE_MS);
    }
  } finally {
    flush();
  }
  throw new BrokenOffError("the stream ended early");
}

function pieceOf(data: string): Piece {
  const chunk = JSON.parse(data) as Chunk;
  if (chunk.error) throw errorOf(chunk);
  const choice = chunk.choices?.[0];
  const delta = choice?.delta ?? {};
  return {
    text: delta.content ?? "",
    reasoning: delta.reasoning_content ?? delta.reasoning ?? "",
    finish: choice?.finish_reason ?? null,
    usage: chunk.usage ?? null,
  };
}

function joined(first: Piece, next: Piece): Piece {
  return {
    text: (first.text ?? "") + (next.text ?? ""),
    reasoning: (first.reasoning ?? "") + (next.reasoning ?? ""),
    finish: next.finish ?? first.finish ?? null,
    usage: next.usage ?? first.usage ?? null,
  };
}
