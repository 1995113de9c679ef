import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { Navigate, useSearchParams } from "react-router";
import { useModels } from "@/api/models";
import { useLanguage, useTexts } from "@/i18n";
import { revealInvalid } from "@/lib/reveal";
import { Answers } from "@/pages/chat/Answers";
import { ChatSettings } from "@/pages/chat/ChatSettings";
import { Composer, MESSAGE_ID } from "@/pages/chat/Composer";
import type { Column } from "@/pages/chat/conversation";
import { chatValues, invalidFields } from "@/pages/chat/parameters";
import type { Conversation } from "@/pages/chat/store";
import { useConversation, useIsEmpty, useIsRunning } from "@/pages/chat/useChat";
import { useAccess } from "@/playground/BookChoice";
import { type Offer, offerNamed } from "@/playground/offers";
import { labelOf } from "@/playground/schema";
import { sharedFields, useTyped } from "@/playground/useTyped";
import { Button } from "@/ui/Button";
import { Card, Empty, PageHead, Skeleton } from "@/ui/Card";
import { Dialog } from "@/ui/Dialog";
import { Problem } from "@/ui/Problem";

const COLUMNS_MAX = 3;
const SYSTEM = "system"; // beside the names of parameters, which have none like it

export function Page() {
  const t = useTexts("playground");
  const models = useModels();
  const { customer } = useAccess();
  const conversation = useConversation(customer);
  const [search] = useSearchParams();
  const before = conversation.settings.search;
  if (models.isError) return <Problem error={models.error} onRetry={() => void models.refetch()} />;
  if (!models.data) return <Skeleton className="h-96 w-full" />;
  const offers = models.data.filter((one) => one.operation === "chat");
  if (!offers.length) return <Empty title={t("noModels")}>{t("noModelsHint")}</Empty>;
  if (!search.size && before) return <Navigate to={{ search: before }} replace />; // as it was left
  return <Chat {...{ offers, conversation }} />;
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

/** A function that stays the same, and does what the one of the last drawing does. */
function useLatest<Args extends unknown[]>(does: (...args: Args) => void): (...args: Args) => void {
  const latest = useRef(does);
  useLayoutEffect(() => {
    latest.current = does;
  });
  return useCallback((...args: Args) => latest.current(...args), []);
}

const WIDE = matchMedia("(min-width: 64rem)");

function listenToWidth(listener: () => void): () => void {
  WIDE.addEventListener("change", listener);
  return () => WIDE.removeEventListener("change", listener);
}

/** Whether settings stand beside the conversation, where nothing folds them; windows and tablets turn. */
function useIsWide(): boolean {
  return useSyncExternalStore(listenToWidth, () => WIDE.matches);
}

const takesImages = (offer: Offer): boolean => offer.capabilities.includes("images");

function Chat({ offers, conversation }: { offers: readonly Offer[]; conversation: Conversation }) {
  const t = useTexts("chat");
  const access = useAccess();
  const isEmpty = useIsEmpty(conversation);
  const isRunning = useIsRunning(conversation);
  const { search, typed: typedBefore } = conversation.settings;
  const [params] = useSearchParams();
  const [chosen, choose] = useChosen(offers);
  const shared = useMemo(() => sharedFields(offers), [offers]);
  const [typed, setTyped, keepTyped] = useTyped(shared, params.toString() === search ? typedBefore : undefined);
  const [isTried, setTried] = useState(false);
  const isWide = useIsWide();
  const settingsBox = useRef<HTMLDetailsElement>(null);
  const invalid = invalidFields(chosen, typed);
  const invalidText = useInvalidText(isTried ? invalid : []);
  const system = typed[SYSTEM] ?? "";
  const address = params.toString();
  useEffect(() => conversation.keepSettings({ search: address, typed }), [conversation, address, typed]);

  const columnOf = (offer: Offer): Column => ({
    model: offer.model,
    book: access.book,
    tiers: offer.price.tiers,
    takesImages: takesImages(offer),
    settings: { system, values: chatValues(offer, typed) },
  });

  /** Whether it can be sent as it is set; if not, what is wrong is shown. */
  function isReady(): boolean {
    setTried(invalid.length > 0);
    if (invalid.length) revealInvalid(settingsBox.current);
    return invalid.length === 0;
  }

  function send(text: string, images: readonly string[]): boolean {
    const isSent = isReady();
    if (isSent) conversation.send(chosen.map(columnOf), text, images);
    return isSent;
  }

  const again = useLatest((id: string, place: number) => {
    const turn = conversation.read().turns.find((one) => one.id === id);
    const offer = chosen[place] ?? offerNamed(offers, turn?.answers[place]?.model ?? "");
    if (turn && offer && isReady()) conversation.again(turn, place, columnOf(offer));
  });

  return (
    <>
      <SkipToMessage />
      <PageHead title={t("title")} lead={t("lead")} actions={!isEmpty && <Clear onClear={conversation.clear} />} />
      <div className="grid items-start gap-6 lg:grid-cols-[18rem_minmax(0,1fr)]">
        <Card className="lg:sticky lg:top-20 lg:max-h-[calc(100dvh-6rem)] lg:overflow-auto">
          <details ref={settingsBox} onBlur={keepTyped} open={isWide}>
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
          {isEmpty && <Samples onChoose={(text) => send(text, [])} />}
          <Answers conversation={conversation} onAgain={again} />
          <Composer
            key={conversation.customer}
            isRunning={isRunning}
            blind={chosen.filter((one) => !takesImages(one)).map((one) => one.label)}
            draft={conversation.draft}
            onDraft={conversation.keepDraft}
            problem={invalidText}
            onSend={send}
            onStop={conversation.stop}
          />
        </div>
      </div>
    </>
  );
}

/** The fields that keep a question from being sent, by their names. */
function useInvalidText(invalid: ReturnType<typeof invalidFields>): string | null {
  const t = useTexts("chat");
  const language = useLanguage();
  const names = [...new Set(invalid.map((one) => labelOf(one.field, language)))];
  return names.length ? t("invalid", { fields: names.join(t("and")) }) : null;
}

/** The settings come first, and are many. */
function SkipToMessage() {
  const t = useTexts("chat");
  return (
    <a
      href={`#${MESSAGE_ID}`}
      onClick={(event) => {
        event.preventDefault(); // the address is the conversation's
        document.getElementById(MESSAGE_ID)?.focus();
      }}
      className="sr-only focus:not-sr-only focus:absolute focus:z-20 focus:rounded-control focus:bg-raised focus:p-3 focus:shadow-raised"
    >
      {t("skipToMessage")}
    </a>
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

/** What is only in this tab goes after a question. */
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
