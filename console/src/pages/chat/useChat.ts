import { useMemo, useState, useSyncExternalStore } from "react";
import { totals } from "@/pages/chat/spending";
import { conversationOf } from "@/pages/chat/store";

/** The conversation of who is signed in, and what can be done with it. */
export function useChat(customer: string) {
  const [conversation, setConversation] = useState(() => conversationOf(customer));
  // a session that ends leaves nobody; the conversation stays until it is known who comes next
  if (customer && (customer !== conversation.customer || conversation.isOver)) setConversation(conversationOf(customer));
  const { turns, level } = useSyncExternalStore(conversation.subscribe, conversation.read);
  const isRunning = turns.some((turn) => turn.answers.some((one) => one.state === "running"));
  return { conversation, turns, level, isRunning, totals: useMemo(() => totals(turns), [turns]) };
}
