/** A conversation: what was asked, and what each model of each column has answered. */

import type { Tiers } from "@/pages/chat/tokens";
import type { Book } from "@/playground/key";
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

export interface Settings {
  system: string;
  values: Values;
}

/** Who answers in a column, how it is asked, and whose money that costs. */
export interface Column {
  model: string;
  book: Book;
  tiers: Tiers;
  takesImages: boolean;
  settings: Settings;
}

/** A request, and what is to be known about how it was made. */
export interface Plan {
  request: ChatRequest;
  /** Pictures of the question that the model does not take, so that they were not sent. */
  leftOut: number;
  /** The model whose answer came last before this one, if it is another. */
  goesOnFrom: string | null;
}

export type AnswerState = "running" | "done" | "stopped" | "broken" | "failed";

export interface Answer extends Plan {
  id: string;
  model: string;
  book: Book;
  tiers: Tiers;
  state: AnswerState;
  text: string;
  reasoning: string;
  finish: string | null;
  usage: Usage | null;
  /** The record of it, and the key with which it was asked. */
  usageId: string | null;
  keyId: string | null;
  /** The record was seen: what it costs will not change. */
  isSettled: boolean;
  error: unknown;
  elapsedMs: number;
}

export interface Turn {
  id: string;
  text: string;
  images: readonly string[];
  /** Pictures that were too large to be kept when the page was loaded again. */
  imagesLost: number;
  /** By column; a column keeps its place when its model is changed. */
  answers: readonly Answer[];
  /** Answers that others have replaced; they were paid for. */
  replaced: readonly Answer[];
}

/** What a stream adds to an answer. */
export interface Piece {
  text?: string;
  reasoning?: string;
  finish?: string | null;
  usage?: Usage | null;
  usageId?: string | null;
  keyId?: string | null;
}

export type Action =
  | { kind: "ask"; turn: Turn }
  | { kind: "again"; turn: string; column: number; answer: Answer }
  | { kind: "piece"; id: string; piece: Piece; elapsedMs: number }
  | { kind: "end"; id: string; state: AnswerState; error: unknown; elapsedMs: number }
  | { kind: "settle"; id: string; usage: Usage }
  | { kind: "clear" };

/** An answer of which nothing has come yet. */
export function newAnswer(id: string, { model, book, tiers }: Column, plan: Plan): Answer {
  const nothing = { text: "", reasoning: "", finish: null, usage: null, error: null, elapsedMs: 0 };
  const unknown = { usageId: null, keyId: null, isSettled: false };
  return { id, model, book, tiers, ...plan, state: "running", ...nothing, ...unknown };
}

export function reduce(turns: readonly Turn[], action: Action): readonly Turn[] {
  if (action.kind === "clear") return [];
  if (action.kind === "ask") return [...turns, action.turn];
  if (action.kind === "again") return turns.map((turn) => (turn.id === action.turn ? replaced(turn, action.column, action.answer) : turn));
  const change = (answer: Answer): Answer => (answer.id === action.id ? changed(answer, action) : answer);
  const isHere = (turn: Turn): boolean => [...turn.answers, ...turn.replaced].some((one) => one.id === action.id);
  return turns.map((turn) =>
    isHere(turn) ? { ...turn, answers: turn.answers.map(change), replaced: turn.replaced.map(change) } : turn,
  );
}

function replaced(turn: Turn, column: number, answer: Answer): Turn {
  const before = turn.answers[column];
  return { ...turn, answers: turn.answers.with(column, answer), replaced: before ? [...turn.replaced, before] : turn.replaced };
}

function changed(answer: Answer, action: Extract<Action, { id: string }>): Answer {
  if (action.kind === "end") return { ...answer, state: action.state, error: action.error, elapsedMs: action.elapsedMs };
  if (action.kind === "settle") return { ...answer, usage: { ...answer.usage, ...action.usage }, isSettled: true };
  const { piece } = action;
  return {
    ...answer,
    text: answer.text + (piece.text ?? ""),
    reasoning: answer.reasoning + (piece.reasoning ?? ""),
    finish: piece.finish ?? answer.finish,
    usage: piece.usage ?? answer.usage,
    usageId: piece.usageId ?? answer.usageId,
    keyId: piece.keyId ?? answer.keyId,
    elapsedMs: action.elapsedMs,
  };
}

type Asked = Pick<Turn, "text" | "images">;

/** The request for one column: what was said there so far, and the last question. */
export function planFor(column: Column, place: number, before: readonly Turn[], asked: Asked): Plan {
  const { model, takesImages, settings } = column;
  const messages: Message[] = settings.system.trim() ? [{ role: "system", content: settings.system }] : [];
  let last: string | null = null;
  for (const turn of before) {
    const answer = answerFor(turn, model, place);
    const question = contentOf(turn, takesImages);
    if (!answer?.text || !question.length) continue; // nothing was answered: the question is as if it had not been
    messages.push({ role: "user", content: question }, { role: "assistant", content: answer.text });
    last = answer.model;
  }
  messages.push({ role: "user", content: contentOf(asked, takesImages) });
  return {
    request: { model, messages, ...settings.values, stream: true, stream_options: { include_usage: true } },
    leftOut: takesImages ? 0 : asked.images.length,
    goesOnFrom: last === model ? null : last,
  };
}

/** The model's own answer if there is one, at best in this place; else that of the place, else of the first. */
function answerFor({ answers }: Turn, model: string, place: number): Answer | undefined {
  const here = answers[place];
  if (here?.model === model) return here;
  return answers.find((one) => one.model === model && one.text) ?? here ?? answers[0];
}

function contentOf({ text, images }: Asked, takesImages: boolean): string | Part[] {
  if (!images.length || !takesImages) return text;
  const pictures = images.map((url): Part => ({ type: "image_url", image_url: { url } }));
  return text ? [...pictures, { type: "text", text }] : pictures;
}
