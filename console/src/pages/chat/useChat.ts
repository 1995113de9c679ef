import { useEffect, useReducer, useRef } from "react";
import { sum } from "@/lib/money";
import { type ChatRequest, newAnswer, reduce, requestFor, type Settings, type Turn } from "@/pages/chat/conversation";
import { BrokenOffError, streamAnswer } from "@/pages/chat/stream";
import type { Access } from "@/playground/key";

/** Who answers in a column, and how it is asked. */
export interface Column {
  model: string;
  settings: Settings;
}

let made = 0;
const nextId = (): string => `turn-${++made}`; // randomUUID is not there without TLS

/** The conversation of this page, and what can be done with it. */
export function useChat(access: Access) {
  const [turns, dispatch] = useReducer(reduce, []);
  const running = useRef(new Set<AbortController>());

  useEffect(() => {
    const all = running.current;
    return () => stopAll(all); // nobody looks any more
  }, []);

  async function run(turn: string, column: number, request: ChatRequest): Promise<void> {
    const controller = new AbortController();
    running.current.add(controller);
    const began = performance.now();
    const elapsed = (): number => performance.now() - began;
    const end = (state: "done" | "stopped" | "broken" | "failed", error: unknown = null): void =>
      dispatch({ kind: "end", turn, column, state, error, elapsedMs: elapsed() });
    try {
      await streamAnswer(access, request, controller.signal, (piece) =>
        dispatch({ kind: "piece", turn, column, piece, elapsedMs: elapsed() }),
      );
      end("done");
    } catch (error) {
      if (controller.signal.aborted) end("stopped");
      else if (error instanceof BrokenOffError) end("broken");
      else end("failed", error);
    } finally {
      running.current.delete(controller);
    }
  }

  function send(columns: readonly Column[], text: string, images: readonly string[]): void {
    const id = nextId();
    const requests = columns.map((one, column) => requestFor(one.model, column, turns, { text, images }, one.settings));
    dispatch({ kind: "ask", turn: { id, text, images, answers: requests.map(newAnswer) } });
    requests.forEach((request, column) => void run(id, column, request));
  }

  /** Once more, in the same place, with the settings and the model of now. */
  function again(turn: Turn, column: number, model: string, settings: Settings): void {
    const request = requestFor(model, column, turns.slice(0, turns.indexOf(turn)), turn, settings);
    dispatch({ kind: "again", turn: turn.id, column, request });
    void run(turn.id, column, request);
  }

  function clear(): void {
    stopAll(running.current);
    dispatch({ kind: "clear" });
  }

  const answers = turns.flatMap((turn) => turn.answers);
  return {
    turns,
    send,
    again,
    clear,
    stop: () => stopAll(running.current),
    isRunning: answers.some((one) => one.state === "running"),
    cost: sum(answers.flatMap((one) => one.usage?.cost ?? [])),
    tokens: answers.reduce((total, { usage }) => total + (usage ? usage.prompt_tokens + usage.completion_tokens : 0), 0),
  };
}

function stopAll(running: ReadonlySet<AbortController>): void {
  for (const controller of running) controller.abort();
}
