import { isFinal, type Task } from "@/api/tasks";
import { useTexts } from "@/i18n";
import { useWords } from "@/i18n/words";
import { milliseconds } from "@/lib/numbers";
import { Badge } from "@/ui/Card";
import { Bar } from "@/ui/Facts";

const TONES = { queued: "plain", running: "accent", succeeded: "good", failed: "bad", canceled: "plain", expired: "warn" } as const;

/** A task's state, in the vocabulary's words. */
export function StateBadge({ of: task }: { of: Pick<Task, "state"> }) {
  const word = useWords();
  return <Badge tone={TONES[task.state]}>{word(task.state)}</Badge>;
}

/** How far a task is; nothing once it has ended. */
export function Progress({ of: task }: { of: Task }) {
  const t = useTexts("tasks");
  if (isFinal(task)) return null;
  const left = task.seconds_left === null ? "" : t("left", { time: milliseconds(Math.max(1, task.seconds_left) * 1000) });
  return (
    <div className="w-full min-w-32">
      <p className="mb-1.5 flex justify-between gap-2 text-xs text-muted tabular-nums">
        <span>{task.is_cancel_requested ? t("ending") : t("percent", { n: task.progress })}</span>
        <span>{left}</span>
      </p>
      <Bar label={t("progress")} percent={task.progress} />
    </div>
  );
}
