import { useState, useSyncExternalStore } from "react";
import { conversationOf, type Conversation, type Shown } from "@/pages/chat/store";

/**
 * The conversation of who is signed in. It is not drawn again while answers come: who shows them uses `useShown`, others a
 * question about it.
 */
export function useConversation(customer: string): Conversation {
  const [conversation, setConversation] = useState(() => conversationOf(customer));
  // a session that ends leaves nobody; the conversation stays until it is known who comes next
  if (customer && (customer !== conversation.customer || conversation.isOver)) setConversation(conversationOf(customer));
  return conversation;
}

/** All of it, with every piece that comes. */
export function useShown({ subscribe, read }: Conversation): Shown {
  return useSyncExternalStore(subscribe, read);
}

export function useIsRunning({ subscribe, read }: Conversation): boolean {
  return useSyncExternalStore(subscribe, () => read().turns.some((turn) => turn.answers.some((one) => one.state === "running")));
}

export function useIsEmpty({ subscribe, read }: Conversation): boolean {
  return useSyncExternalStore(subscribe, () => read().turns.length === 0);
}
