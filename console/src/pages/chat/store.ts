/**
 * The conversation of a customer in this tab. It lives beside the pages: who looks at another page meanwhile finds it, and
 * its answers, when coming back; and it is kept in the tab's storage, for when the page is loaded again.
 */

import { forgetFinance } from "@/api/finance";
import { onForget } from "@/lib/privacy";
import { type Answer, type AnswerState, type Action, type Column, newAnswer, planFor, reduce, type Turn } from "@/pages/chat/conversation";
import { type Draft, EMPTY, forgetOthers, keep, type Kept, type KeptSettings, type Level, restore } from "@/pages/chat/kept";
import { settledUsage } from "@/pages/chat/record";
import { BrokenOffError, streamAnswer } from "@/pages/chat/stream";

const KEEP_MS = 1_000;

/** What pages show of it. */
export interface Shown {
  turns: readonly Turn[];
  /** How much of it would survive a reload. */
  level: Level;
}

/** A new name, in this tab and in all that it keeps. */
function newId(): string {
  const [a = 0, b = 0] = crypto.getRandomValues(new Uint32Array(2)); // randomUUID is not there without TLS
  return `${a.toString(36)}${b.toString(36)}`;
}

export class Conversation {
  private readonly listeners = new Set<() => void>();
  private readonly running = new Map<string, AbortController>();
  private readonly closing = new AbortController();
  private kept: Kept;
  private shown: Shown;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly customer: string) {
    forgetOthers(sessionStorage, customer);
    this.kept = restore(sessionStorage, customer);
    this.shown = { turns: this.kept.turns, level: "all" };
    const { signal } = this.closing;
    addEventListener("pagehide", this.save, { signal });
    document.addEventListener("visibilitychange", this.save, { signal }); // phones end pages that are not seen
    addEventListener("beforeunload", this.guard, { signal });
    for (const turn of this.kept.turns) for (const one of [...turn.answers, ...turn.replaced]) void this.settle(one);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly read = (): Shown => this.shown;

  get draft(): Draft {
    return this.kept.draft;
  }

  get settings(): KeptSettings {
    return this.kept.settings;
  }

  get isOver(): boolean {
    return this.closing.signal.aborted;
  }

  /** Keep what is being written. */
  readonly keepDraft = (draft: Draft): void => {
    this.kept = { ...this.kept, draft };
    this.saveSoon();
  };

  /** Keep what is set beside the conversation. */
  readonly keepSettings = (settings: KeptSettings): void => {
    this.kept = { ...this.kept, settings };
    this.saveSoon();
  };

  /** Ask in every column. */
  send(columns: readonly Column[], text: string, images: readonly string[]): void {
    const answers = columns.map((one, place) => newAnswer(newId(), one, planFor(one, place, this.shown.turns, { text, images })));
    this.dispatch({ kind: "ask", turn: { id: newId(), text, images, imagesLost: 0, answers, replaced: [] } });
    for (const answer of answers) void this.run(answer);
  }

  /** Once more, in the same place, with the settings and the model of now. */
  again(turn: Turn, place: number, column: Column): void {
    const before = this.shown.turns.slice(0, this.shown.turns.indexOf(turn));
    const answer = newAnswer(newId(), column, planFor(column, place, before, turn));
    this.dispatch({ kind: "again", turn: turn.id, column: place, answer });
    void this.run(answer);
  }

  readonly stop = (): void => {
    for (const controller of this.running.values()) controller.abort();
  };

  readonly clear = (): void => {
    this.stop();
    this.dispatch({ kind: "clear" });
  };

  /** The customer has left, or is another one: nothing goes on. */
  close(): void {
    this.stop();
    this.closing.abort();
    clearTimeout(this.timer);
  }

  /** The customer has signed out: nothing of it is shown any more. */
  forget(): void {
    this.close();
    this.kept = EMPTY;
    this.show({ turns: [], level: "all" });
  }

  private async run(answer: Answer): Promise<void> {
    const { id } = answer;
    const controller = new AbortController();
    this.running.set(id, controller);
    const began = performance.now();
    const elapsed = (): number => performance.now() - began;
    let state: AnswerState = "done";
    let failure: unknown = null;
    try {
      const access = { book: answer.book, customer: this.customer };
      await streamAnswer(access, answer.request, controller.signal, (piece) =>
        this.dispatch({ kind: "piece", id, piece, elapsedMs: elapsed() }),
      );
    } catch (error) {
      state = controller.signal.aborted ? "stopped" : error instanceof BrokenOffError ? "broken" : "failed";
      if (state === "failed") failure = error;
    }
    this.running.delete(id);
    this.dispatch({ kind: "end", id, state, error: failure, elapsedMs: elapsed() });
    if (this.isOver) return;
    void forgetFinance();
    const ended = this.answers().find((one) => one.id === id);
    if (ended) void this.settle(ended);
  }

  /** What it has cost is only known for certain from its record. */
  private async settle(answer: Answer): Promise<void> {
    if (answer.usageId === null || answer.isSettled) return;
    const usage = await settledUsage(answer, this.closing.signal);
    if (usage === null) return;
    this.dispatch({ kind: "settle", id: answer.id, usage });
    void forgetFinance(); // the balance is right from now on
  }

  private answers(): Answer[] {
    return this.shown.turns.flatMap((turn) => [...turn.answers, ...turn.replaced]);
  }

  private dispatch(action: Action): void {
    this.show({ ...this.shown, turns: reduce(this.shown.turns, action) });
    this.saveSoon();
  }

  private show(shown: Shown): void {
    this.shown = shown;
    this.kept = { ...this.kept, turns: shown.turns };
    for (const listener of this.listeners) listener();
  }

  /** What is coming is paid for, and would be lost: the browser asks first. */
  private readonly guard = (event: Event): void => {
    if (this.running.size > 0) event.preventDefault();
  };

  private saveSoon(): void {
    if (this.isOver) return;
    this.timer ??= setTimeout(this.save, KEEP_MS);
  }

  private readonly save = (): void => {
    clearTimeout(this.timer);
    this.timer = undefined;
    const level = keep(sessionStorage, this.customer, this.kept);
    if (level !== this.shown.level) this.show({ ...this.shown, level });
  };
}

let current: Conversation | null = null;

/** The conversation of the customer; another's is over. */
export function conversationOf(customer: string): Conversation {
  if (current?.customer !== customer) {
    current?.close();
    current = new Conversation(customer);
  }
  return current;
}

onForget(() => {
  current?.forget();
  current = null;
});
