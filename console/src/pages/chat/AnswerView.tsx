import { lazy, memo, Suspense, useDeferredValue } from "react";
import { Link } from "react-router";
import { useTexts } from "@/i18n";
import { yuan } from "@/lib/money";
import { count, milliseconds } from "@/lib/numbers";
import type { Answer, AnswerState } from "@/pages/chat/conversation";
import { paths } from "@/paths";
import type { CodeRequest, Json } from "@/playground/code";
import { CallProblem } from "@/playground/CallProblem";
import { CodeButton } from "@/playground/CodeDialog";
import type { Access } from "@/playground/key";
import { loadPart } from "@/shell/loading";
import { Button, Spinner } from "@/ui/Button";

const MarkdownText = lazy(async () => ({ default: (await loadPart(() => import("@/ui/Markdown"))).MarkdownText }));

interface AnswerViewProps {
  access: Access;
  answer: Answer;
  onAgain: () => void;
}

/** One model's answer: its reasoning folded, its text, what it has used, and what can be done with it. */
export const AnswerView = memo(function AnswerView({ access, answer, onAgain }: AnswerViewProps) {
  const t = useTexts("chat");
  const text = useDeferredValue(answer.text);
  const isRunning = answer.state === "running";
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
      <Ending access={access} answer={answer} onAgain={onAgain} />
      {!isRunning && <Footer access={access} answer={answer} onAgain={onAgain} />}
    </article>
  );
});

/** How it has ended, where that is not as it should be. */
function Ending({ access, answer, onAgain }: AnswerViewProps) {
  const t = useTexts("chat");
  if (answer.state === "failed") return <CallProblem access={access} error={answer.error} onRetry={onAgain} />;
  const words: Partial<Record<AnswerState, string>> = { stopped: t("stopped"), broken: t("broken") };
  const text = words[answer.state] ?? { length: t("cut"), content_filter: t("filtered") }[answer.finish ?? ""];
  if (!text) return null;
  return (
    <p role={answer.state === "broken" ? "alert" : "status"} className="rounded-control bg-warn-soft px-3 py-2 text-sm text-warn">
      {text}
    </p>
  );
}

function Footer({ answer, onAgain }: AnswerViewProps) {
  const t = useTexts("chat");
  const { usage } = answer;
  return (
    <footer className="mt-auto flex flex-wrap items-center gap-x-3 gap-y-1 border-t border-line pt-2 text-xs text-faint">
      {usage && <span>{t("tokens", { input: count(usage.prompt_tokens), output: count(usage.completion_tokens) })}</span>}
      {usage?.cost && <strong className="text-ink">{yuan(usage.cost)}</strong>}
      {usage?.estimated && <span>{t("estimated")}</span>}
      <span>{milliseconds(Math.round(answer.elapsedMs))}</span>
      {answer.usageId && answer.state !== "failed" && (
        <Link to={paths.usageRecord(answer.usageId)} className="underline">
          {t("record")}
        </Link>
      )}
      <span className="ml-auto flex">
        <CodeButton request={() => codeRequest(answer)} />
        {answer.state !== "failed" && (
          <Button tone="quiet" onClick={onAgain}>
            {t("again")}
          </Button>
        )}
      </span>
    </footer>
  );
}

function codeRequest(answer: Answer): CodeRequest {
  const json = answer.request as unknown as { readonly [name: string]: Json };
  return { method: "POST", path: "/v1/chat/completions", json, isStream: true };
}
