/** What a conversation has used and costs: all that was asked for, be it shown any more or not. */

import { sum } from "@/lib/money";
import type { Answer, Turn } from "@/pages/chat/conversation";
import { costOf, tokensOf, tokensOfMessages } from "@/pages/chat/tokens";
import type { Book } from "@/playground/key";

export interface Spending {
  input: number;
  output: number;
  /** CNY; null where no price is known. */
  cost: string | null;
  /** Nobody has counted yet: it is about so much. */
  isAbout: boolean;
}

const NOTHING: Spending = { input: 0, output: 0, cost: "0", isAbout: false };

/** Of one answer, as far as it is known. */
export function spendingOf(answer: Answer): Spending {
  const { usage } = answer;
  if (usage?.cost !== undefined) return { input: usage.prompt_tokens, output: usage.completion_tokens, cost: usage.cost, isAbout: false };
  if (answer.usageId === null) return NOTHING; // no provider has taken it
  const input = usage?.prompt_tokens ?? tokensOfMessages(answer.request.messages);
  const output = usage?.completion_tokens ?? tokensOf(answer.text) + tokensOf(answer.reasoning);
  return { input, output, cost: costOf(answer.tiers, input, output), isAbout: true };
}

export interface Total {
  book: Book;
  tokens: number;
  cost: string;
  isAbout: boolean;
}

/** Of all answers, by the book that pays. */
export function totals(turns: readonly Turn[]): Total[] {
  const answers = turns.flatMap((turn) => [...turn.answers, ...turn.replaced]);
  return (["live", "test"] as const).flatMap((book) => {
    const all = answers.filter((one) => one.book === book).map(spendingOf);
    const tokens = all.reduce((total, one) => total + one.input + one.output, 0);
    if (!tokens) return [];
    return [{ book, tokens, cost: sum(all.flatMap((one) => one.cost ?? [])), isAbout: all.some((one) => one.isAbout) }];
  });
}
