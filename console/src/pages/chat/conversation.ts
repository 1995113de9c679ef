/** A conversation: what was asked, and what each model of each column has answered. */

import type { Values } from "@/playground/schema";

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  prompt_tokens_details?: { cached_tokens?: number } | null;
  completion_tokens_details?: { reasoning_tokens?: number } | null;
  /** CNY; there once all is counted. */
  cost?: string;
  estimated?: boolean;
}

type Part = { type: "text"; text: string } | { type: "image_url"; image_url: { url: string } };

export type Message = { role: "system" | "user" | "assistant"; content: string | Part[] };

/** What is sent; nothing that is not documented. */
export type ChatRequest = {
  model: string;
  messages: Message[];
  stream: true;
  stream_options: { include_usage: true };
} & Values_;
type Values_ = { [name: string]: unknown };

export type AnswerState = "running" | "done" | "stopped" | "broken" | "failed";

export interface Answer {
  model: string;
  request: ChatRequest;
  state: AnswerState;
  text: string;
  reasoning: string;
  finish: string | null;
  usage: Usage | null;
  usageId: string | null;
  error: unknown;
  elapsedMs: number;
}

export interface Turn {
  id: string;
  text: string;
  images: readonly string[];
  /** By column; a column keeps its place when its model is changed. */
  answers: readonly Answer[];
}

/** What a stream adds to an answer. */
export interface Piece {
  text?: string;
  reasoning?: string;
  finish?: string | null;
  usage?: Usage | null;
  usageId?: string | null;
}

export interface Settings {
  system: string;
  values: Values;
}

export type Action =
  | { kind: "ask"; turn: Turn }
  | { kind: "again"; turn: string; column: number; request: ChatRequest }
  | { kind: "piece"; turn: string; column: number; piece: Piece; elapsedMs: number }
  | { kind: "end"; turn: string; column: number; state: AnswerState; error: unknown; elapsedMs: number }
  | { kind: "clear" };

/** An answer of which nothing has come yet. */
export function newAnswer(request: ChatRequest): Answer {
  const nothing = { text: "", reasoning: "", finish: null, usage: null, usageId: null, error: null, elapsedMs: 0 };
  return { model: request.model, request, state: "running", ...nothing };
}

export function reduce(turns: readonly Turn[], action: Action): readonly Turn[] {
  if (action.kind === "clear") return [];
  if (action.kind === "ask") return [...turns, action.turn];
  const change = (answer: Answer): Answer => {
    if (action.kind === "again") return newAnswer(action.request);
    if (action.kind === "end") return { ...answer, state: action.state, error: action.error, elapsedMs: action.elapsedMs };
    return added(answer, action.piece, action.elapsedMs);
  };
  return turns.map((turn) =>
    turn.id !== action.turn
      ? turn
      : { ...turn, answers: turn.answers.map((answer, column) => (column === action.column ? change(answer) : answer)) },
  );
}

function added(answer: Answer, piece: Piece, elapsedMs: number): Answer {
  return {
    ...answer,
    text: answer.text + (piece.text ?? ""),
    reasoning: answer.reasoning + (piece.reasoning ?? ""),
    finish: piece.finish ?? answer.finish,
    usage: piece.usage ?? answer.usage,
    usageId: piece.usageId ?? answer.usageId,
    elapsedMs,
  };
}

/** The request for one column: what was said there so far, and the last question. */
export function requestFor(
  model: string,
  column: number,
  before: readonly Turn[],
  asked: Pick<Turn, "text" | "images">,
  { system, values }: Settings,
): ChatRequest {
  const messages: Message[] = system.trim() ? [{ role: "system", content: system }] : [];
  for (const turn of before) {
    const answer = turn.answers[column] ?? turn.answers[0]; // a column that came later goes on from the first one
    if (!answer?.text) continue; // nothing was answered: the question is as if it had not been
    messages.push({ role: "user", content: contentOf(turn) }, { role: "assistant", content: answer.text });
  }
  messages.push({ role: "user", content: contentOf(asked) });
  return { model, messages, ...values, stream: true, stream_options: { include_usage: true } };
}

function contentOf({ text, images }: Pick<Turn, "text" | "images">): string | Part[] {
  if (!images.length) return text;
  const pictures = images.map((url): Part => ({ type: "image_url", image_url: { url } }));
  return text ? [...pictures, { type: "text", text }] : pictures;
}
