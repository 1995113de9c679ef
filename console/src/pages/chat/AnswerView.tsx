import { lazy, memo, Suspense, useDeferredValue } from "react";
import { Link } from "react-router";
import { useTexts } from "@/i18n";
import { yuan } from "@/lib/money";
import { count, milliseconds } from "@/lib/numbers";
import type { Answer, AnswerState } from "@/pages/chat/conversation";
import { spendingOf } from "@/pages/chat/spending";
import { paths } from "@/paths";
import type { CodeRequest, Json } from "@/playground/code";
import { CallProblem } from "@/playground/CallProblem";
import { CodeButton } from "@/playground/CodeDialog";
import { loadPart } from "@/shell/loading";
import { Button, Spinner } from "@/ui/Button";
import { CopyButton } from "@/ui/CopyButton";

const MarkdownText = lazy(async () => ({ default: (await loadPart(() => import("@/ui/Markdown"))).MarkdownText }));

interface AnswerViewProps {
  customer: string;
  turn: string;
  column: number;
  answer: Answer;
  onAgain: (turn: string, column: number) => void;
}

/** One model's answer: its reasoning folded, its text, what it has used, and what can be done with it. */
export const AnswerView = memo(function AnswerView({ customer, turn, column, answer, onAgain }: AnswerViewProps) {
  const t = useTexts("chat");
  const text = useDeferredValue(answer.text);
  const isRunning = answer.state === "running";
  const again = (): void => onAgain(turn, column);
  return (
    <article
      aria-label={answer.model}
      aria-busy={isRunning}
      data-state={answer.state}
      className="flex min-w-0 flex-col gap-3 rounded-card border border-line bg-surface p-4"
    >
      <h3 className="flex items-center gap-2 text-sm text-muted">
        {answer.model}
        {isRunning && <Spinner />}
      </h3>
      <Remarks answer={answer} />
      {answer.reasoning && (
        <details className="rounded-control bg-sunken px-3 py-2 text-sm text-muted">
          <summary className="cursor-pointer">{isRunning && !text ? t("thinking") : t("reasoning")}</summary>
          <p className="mt-2 whitespace-pre-wrap">{answer.reasoning}</p>
        </details>
      )}
      {text ? (
        <Suspense fallback={<p className="whitespace-pre-wrap">{text}</p>}>
          <MarkdownText text={text} />
        </Suspense>
      ) : (
        isRunning && !answer.reasoning && <p className="text-muted">{t("waiting")}</p>
      )}
      {answer.state === "failed" ? (
        <CallProblem access={{ customer, book: answer.book }} error={answer.error} onRetry={again} />
      ) : (
        <Ending answer={answer} />
      )}
      <Footer answer={answer} onAgain={again} />
    </article>
  );
});

/** How the question that the model got differs from what one sees. */
function Remarks({ answer }: { answer: Answer }) {
  const t = useTexts("chat");
  if (!answer.leftOut && !answer.goesOnFrom) return null;
  return (
    <div className="flex flex-col gap-1 text-xs text-faint">
      {answer.leftOut > 0 && <p>{t("leftOut", { count: answer.leftOut })}</p>}
      {answer.goesOnFrom && <p>{t("goesOnFrom", { model: answer.goesOnFrom })}</p>}
    </div>
  );
}

/** How it has ended, where that is not as it should be. */
function Ending({ answer }: { answer: Answer }) {
  const t = useTexts("chat");
  const words: Partial<Record<AnswerState, string>> = { stopped: t("stopped"), broken: t("broken") };
  const text = words[answer.state] ?? { length: t("cut"), content_filter: t("filtered") }[answer.finish ?? ""];
  if (!text) return null;
  return (
    <p role={answer.state === "broken" ? "alert" : "status"} className="rounded-control bg-warn-soft px-3 py-2 text-sm text-warn">
      {text}{" "}
      {answer.usageId === null && (
        <Link to={paths.usage()} className="underline">
          {t("maybeInUsage")}
        </Link>
      )}
    </p>
  );
}

function Footer({ answer, onAgain }: { answer: Answer; onAgain: () => void }) {
  const t = useTexts("chat");
  const isRunning = answer.state === "running";
  return (
    <footer className="mt-auto flex flex-wrap items-center gap-x-3 gap-y-1 border-t border-line pt-2 text-xs text-faint">
      <Spent answer={answer} />
      <span className="tabular-nums">{milliseconds(Math.round(answer.elapsedMs))}</span>
      {answer.isSettled && answer.usageId && (
        <Link to={paths.usageRecord(answer.usageId)} className="underline">
          {t("record")}
        </Link>
      )}
      {!isRunning && (
        <span className="ml-auto flex flex-wrap">
          {answer.text && <CopyButton text={answer.text} tone="quiet" />}
          <CodeButton request={() => codeRequest(answer)} />
          {answer.state !== "failed" && (
            <Button tone="quiet" onClick={onAgain}>
              {t("again")}
            </Button>
          )}
        </span>
      )}
    </footer>
  );
}

/** Tokens and money: about, while it comes and until its record is there. */
function Spent({ answer }: { answer: Answer }) {
  const t = useTexts("chat");
  const { input, output, cost, isAbout } = spendingOf(answer);
  if (!input && !output) return null;
  return (
    <>
      <span className="tabular-nums">
        {isAbout && "≈ "}
        {t("tokens", { input: count(input), output: count(output) })}
      </span>
      {cost !== null && (
        <strong className="text-ink tabular-nums">
          {isAbout && "≈ "}
          {yuan(cost)}
        </strong>
      )}
      {isAbout && answer.state !== "running" && <span>{t("about")}</span>}
      {answer.usage?.estimated && <span>{t("estimated")}</span>}
    </>
  );
}

function codeRequest(answer: Answer): CodeRequest {
  const json = answer.request as unknown as { readonly [name: string]: Json };
  return { method: "POST", path: "/v1/chat/completions", json, isStream: true };
}
