import { useEffect, useRef, useState } from "react";
import { useTexts } from "@/i18n";
import type { Answer, Turn } from "@/pages/chat/conversation";
import { speakable } from "@/pages/chat/speakable";

/**
 * Tells who cannot see it that an answer is awaited, and what it is once it is whole: an answer that comes in pieces would
 * interrupt itself all the time.
 */
export function Announcer({ turns }: { turns: readonly Turn[] }) {
  const t = useTexts("chat");
  const [said, setSaid] = useState("");
  const known = useRef<Map<string, Answer["state"]> | null>(null);

  useEffect(() => {
    const answers = turns.flatMap((turn) => turn.answers);
    const before = known.current;
    known.current = new Map(answers.map((one) => [one.id, one.state]));
    if (before === null) return; // what was there before is no news
    const news = answers.filter((one) => before.get(one.id) !== one.state);
    if (news.length) setSaid(news.map((one) => textFor(one, t)).join(" "));
  }, [turns, t]);

  return (
    <p role="status" className="sr-only" data-testid="announcer">
      {said}
    </p>
  );
}

function textFor({ state, model, text }: Answer, t: ReturnType<typeof useTexts<"chat">>): string {
  if (state === "running") return t("saysWaiting", { model });
  if (state === "done") return t("says", { model, text: speakable(text) });
  return text ? t("saysPart", { model, text: speakable(text) }) : ""; // why it has ended is told where it stands
}
