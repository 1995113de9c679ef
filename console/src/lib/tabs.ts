/** What the tabs of one browser tell each other. */

import type { PlaygroundKey } from "@/playground/key";

export type Said =
  | { kind: "signed-in"; customer: string }
  | { kind: "signed-out"; customer: string }
  | { kind: "key-wanted"; book: "live" | "test"; customer: string }
  | { kind: "key"; key: PlaygroundKey };

const NAME = "yuanjing";
let channel: BroadcastChannel | null = null;

function open(): BroadcastChannel {
  channel ??= new BroadcastChannel(NAME);
  return channel;
}

/** Tell all other tabs. */
export function tellTabs(said: Said): void {
  open().postMessage(said);
}

/** Be told by other tabs; the answer ends it. */
export function onTabs(listener: (said: Said) => void): () => void {
  const take = (event: MessageEvent<Said>): void => listener(event.data);
  open().addEventListener("message", take);
  return () => open().removeEventListener("message", take);
}
