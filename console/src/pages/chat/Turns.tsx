import { useLayoutEffect, useRef } from "react";
import { useTexts } from "@/i18n";
import { AnswerView } from "@/pages/chat/AnswerView";
import type { Turn } from "@/pages/chat/conversation";

const GRIDS = ["", "", "md:grid-cols-2", "md:grid-cols-2 xl:grid-cols-3"];
const NEAR_END = 240; // who has scrolled up further is reading

interface TurnsProps {
  customer: string;
  turns: readonly Turn[];
  onAgain: (turn: string, column: number) => void;
}

/** What was asked and answered; its end stays in sight of who is there. */
export function Turns({ customer, turns, onAgain }: TurnsProps) {
  const end = useRef<HTMLDivElement>(null);
  const isFollowing = useRef(true);
  const size = turns.length;

  useLayoutEffect(() => {
    isFollowing.current = true; // a question was asked: its answer is to be seen
  }, [size]);
  useLayoutEffect(() => {
    const page = document.documentElement;
    const left = page.scrollHeight - page.clientHeight - page.scrollTop;
    if (isFollowing.current || left < NEAR_END) end.current?.scrollIntoView({ block: "end" });
    isFollowing.current = false;
  }, [turns]);

  return (
    <div className="flex flex-col gap-6">
      {turns.map((turn) => (
        <section key={turn.id} className="flex flex-col gap-3">
          <Question turn={turn} />
          <div className={`grid gap-3 ${GRIDS[turn.answers.length] ?? ""}`}>
            {turn.answers.map((answer, column) => (
              <AnswerView key={column} {...{ customer, column, answer, onAgain }} turn={turn.id} />
            ))}
          </div>
        </section>
      ))}
      <div ref={end} className="scroll-mb-64" />
    </div>
  );
}

function Question({ turn }: { turn: Turn }) {
  const t = useTexts("chat");
  return (
    <div className="ml-auto max-w-[85%] rounded-card bg-accent-soft px-4 py-3 text-accent-ink">
      <h3 className="sr-only">{t("you")}</h3>
      {turn.images.length > 0 && (
        <div className="mb-2 flex flex-wrap gap-2">
          {turn.images.map((url, at) => (
            <img key={url} src={url} alt={t("image", { number: at + 1 })} className="max-h-40 rounded-control" />
          ))}
        </div>
      )}
      {turn.imagesLost > 0 && <p className="mb-1 text-xs">{t("imagesLost", { count: turn.imagesLost })}</p>}
      <p className="break-words whitespace-pre-wrap">{turn.text}</p>
    </div>
  );
}
