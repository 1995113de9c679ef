import { useMemo } from "react";
import { useTexts } from "@/i18n";
import { yuan } from "@/lib/money";
import { count } from "@/lib/numbers";
import { Announcer } from "@/pages/chat/Announcer";
import { totals } from "@/pages/chat/spending";
import type { Conversation } from "@/pages/chat/store";
import { Turns } from "@/pages/chat/Turns";
import { useShown } from "@/pages/chat/useChat";

interface AnswersProps {
  conversation: Conversation;
  onAgain: (turn: string, column: number) => void;
}

/** What was said so far, and what it has cost; the only part of the page that is drawn with every piece that comes. */
export function Answers({ conversation, onAgain }: AnswersProps) {
  const { turns } = useShown(conversation);
  return (
    <>
      {turns.length > 0 && <Turns customer={conversation.customer} turns={turns} onAgain={onAgain} />}
      <Announcer turns={turns} />
      <Totals conversation={conversation} />
    </>
  );
}

/** The cost so far, by the book that pays; and how much of it all would survive a reload. */
function Totals({ conversation }: { conversation: Conversation }) {
  const t = useTexts("chat");
  const common = useTexts("common");
  const { turns, level } = useShown(conversation);
  const all = useMemo(() => totals(turns), [turns]);
  return (
    <div className="flex flex-col gap-1 text-sm text-muted empty:hidden">
      {all.map(({ book, tokens, cost, isAbout }) => (
        <p key={book} className="tabular-nums">
          {t("total", { tokens: count(tokens), cost: `${isAbout ? "≈ " : ""}${yuan(cost)}` })}
          {all.length > 1 && ` (${common(book)})`}
        </p>
      ))}
      {level !== "all" && <p className="text-warn">{t(level === "text" ? "keptWithoutImages" : "notKept")}</p>}
    </div>
  );
}
