import { useLayoutEffect, useRef, useState } from "react";
import { useSearchParams } from "react-router";
import { useModels } from "@/api/models";
import { useTexts } from "@/i18n";
import { yuan } from "@/lib/money";
import { count } from "@/lib/numbers";
import { AnswerView } from "@/pages/chat/AnswerView";
import { ChatSettings } from "@/pages/chat/ChatSettings";
import { Composer } from "@/pages/chat/Composer";
import type { Settings, Turn } from "@/pages/chat/conversation";
import { chatValues } from "@/pages/chat/parameters";
import { useChat } from "@/pages/chat/useChat";
import { useAccess } from "@/playground/BookChoice";
import type { Access } from "@/playground/key";
import { type Offer, offerNamed } from "@/playground/offers";
import { useTyped } from "@/playground/useTyped";
import { Button } from "@/ui/Button";
import { Card, Empty, PageHead, Skeleton } from "@/ui/Card";
import { Dialog } from "@/ui/Dialog";
import { Problem } from "@/ui/Problem";

const COLUMNS_MAX = 3;
const SYSTEM = "system"; // beside the names of parameters, which have none like it
const GRIDS = ["", "", "md:grid-cols-2", "md:grid-cols-2 xl:grid-cols-3"];
const NEAR_END = 240; // who has scrolled up further is reading

export function Page() {
  const t = useTexts("playground");
  const models = useModels();
  if (models.isError) return <Problem error={models.error} onRetry={() => void models.refetch()} />;
  if (!models.data) return <Skeleton className="h-96 w-full" />;
  const offers = models.data.filter((one) => one.operation === "chat");
  if (!offers.length) return <Empty title={t("noModels")}>{t("noModelsHint")}</Empty>;
  return <Chat offers={offers} />;
}

/** The models that the address names, else the first. */
function useChosen(offers: readonly Offer[]): [Offer[], (models: readonly string[]) => void] {
  const [search, setSearch] = useSearchParams();
  const named = search.getAll("model").flatMap((name) => offerNamed(offers, name) ?? []);
  const chosen = named.length ? named.slice(0, COLUMNS_MAX) : offers.slice(0, 1);

  function choose(models: readonly string[]): void {
    setSearch(
      (now) => {
        now.delete("model");
        for (const model of models) now.append("model", model);
        return now;
      },
      { replace: true },
    );
  }
  return [chosen, choose];
}

function Chat({ offers }: { offers: readonly Offer[] }) {
  const t = useTexts("chat");
  const access = useAccess();
  const [chosen, choose] = useChosen(offers);
  const [typed, setTyped, keepTyped] = useTyped();
  const system = typed[SYSTEM] ?? "";
  const chat = useChat(access);
  const settings = (offer: Offer): Settings => ({ system, values: chatValues(offer, typed) });

  return (
    <>
      <PageHead title={t("title")} lead={t("lead")} actions={chat.turns.length > 0 && <Clear onClear={chat.clear} />} />
      <div className="grid items-start gap-6 lg:grid-cols-[18rem_minmax(0,1fr)]">
        <Card className="lg:sticky lg:top-20 lg:max-h-[calc(100dvh-6rem)] lg:overflow-auto">
          <details onBlur={keepTyped} open={matchMedia("(min-width: 64rem)").matches}>
            <summary className="cursor-pointer font-medium lg:hidden">{t("settings")}</summary>
            <div className="mt-4 lg:mt-0">
              <ChatSettings
                {...{ access, offers, chosen, system, typed }}
                onChoose={choose}
                onSystem={(text) => setTyped({ ...typed, [SYSTEM]: text })}
                onType={setTyped}
              />
            </div>
          </details>
        </Card>
        <div className="flex min-w-0 flex-col gap-6">
          {chat.turns.length ? (
            <Turns
              access={access}
              turns={chat.turns}
              onAgain={(turn, column) => {
                const offer = chosen[column] ?? offerNamed(offers, turn.answers[column]?.model ?? "");
                if (offer) chat.again(turn, column, offer.model, settings(offer));
              }}
            />
          ) : (
            <Samples onChoose={(text) => chat.send(chosen.map((offer) => ({ model: offer.model, settings: settings(offer) })), text, [])} />
          )}
          {chat.tokens > 0 && (
            <p role="status" className="text-sm text-muted">
              {t("total", { tokens: count(chat.tokens), cost: yuan(chat.cost) })}
            </p>
          )}
          <Composer
            isRunning={chat.isRunning}
            blind={chosen.filter((one) => !one.capabilities.includes("images")).map((one) => one.label)}
            onSend={(text, images) => chat.send(chosen.map((offer) => ({ model: offer.model, settings: settings(offer) })), text, images)}
            onStop={chat.stop}
          />
        </div>
      </div>
    </>
  );
}

interface TurnsProps {
  access: Access;
  turns: readonly Turn[];
  onAgain: (turn: Turn, column: number) => void;
}

function Turns({ access, turns, onAgain }: TurnsProps) {
  const t = useTexts("chat");
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
          <div className="ml-auto max-w-[85%] rounded-card bg-accent-soft px-4 py-3 text-accent-ink">
            <h3 className="sr-only">{t("you")}</h3>
            {turn.images.length > 0 && (
              <div className="mb-2 flex flex-wrap gap-2">
                {turn.images.map((url, at) => (
                  <img key={url} src={url} alt={t("image", { number: at + 1 })} className="max-h-40 rounded-control" />
                ))}
              </div>
            )}
            <p className="break-words whitespace-pre-wrap">{turn.text}</p>
          </div>
          <div className={`grid gap-3 ${GRIDS[turn.answers.length] ?? ""}`}>
            {turn.answers.map((answer, column) => (
              <AnswerView key={column} access={access} answer={answer} onAgain={() => onAgain(turn, column)} />
            ))}
          </div>
        </section>
      ))}
      <div ref={end} className="scroll-mb-56" />
    </div>
  );
}

function Samples({ onChoose }: { onChoose: (text: string) => void }) {
  const t = useTexts("chat");
  return (
    <Empty title={t("empty")}>
      <ul className="flex flex-col gap-2">
        {[t("sample1"), t("sample2"), t("sample3")].map((text) => (
          <li key={text}>
            <Button className="h-auto py-2 text-left" onClick={() => onChoose(text)}>
              {text}
            </Button>
          </li>
        ))}
      </ul>
    </Empty>
  );
}

/** What is only on this page goes after a question. */
function Clear({ onClear }: { onClear: () => void }) {
  const t = useTexts("chat");
  const common = useTexts("common");
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button onClick={() => setOpen(true)}>{t("clear")}</Button>
      <Dialog isOpen={isOpen} onClose={() => setOpen(false)} title={t("clear")}>
        <p className="text-muted">{t("clearHint")}</p>
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={() => setOpen(false)}>{common("cancel")}</Button>
          <Button
            tone="danger"
            onClick={() => {
              setOpen(false);
              onClear();
            }}
          >
            {t("clearConfirm")}
          </Button>
        </div>
      </Dialog>
    </>
  );
}
