import { useState } from "react";
import { useParams } from "react-router";
import { isFinal, type TaskDetails, useTask } from "@/api/tasks";
import { useTexts } from "@/i18n";
import { useWords } from "@/i18n/words";
import { exactMoment } from "@/lib/time";
import { EndDialog, type Ending } from "@/pages/tasks/EndDialog";
import { History, Money, Parameters, Player, Technical } from "@/pages/tasks/Parts";
import { StateBadge } from "@/pages/tasks/TaskState";
import { ArithmeticCard } from "@/pages/usage/ArithmeticCard";
import { ReceiptCard } from "@/pages/usage/ReceiptCard";
import { paths } from "@/paths";
import { Found } from "@/shell/Found";
import { BackLink } from "@/ui/BackLink";
import { Button } from "@/ui/Button";
import { Badge, PageHead } from "@/ui/Card";

/** One task: its video, what was asked for, and what it has cost. */
export function Page() {
  const t = useTexts("tasks");
  const found = useTask(useParams()["id"] ?? "");
  return (
    <>
      <BackLink to={paths.tasks()}>{t("back")}</BackLink>
      <Found query={found}>{(data) => <Task of={data} />}</Found>
    </>
  );
}

function Task({ of: task }: { of: TaskDetails }) {
  const t = useTexts("tasks");
  const word = useWords();
  const [ending, setEnding] = useState<Ending | null>(null);
  const isOver = isFinal(task);
  return (
    <>
      <PageHead
        title={task.model}
        lead={
          <>
            <StateBadge of={task} /> {task.book === "test" && <Badge>{word("test")}</Badge>} {word(task.operation)} · {exactMoment(task.created_at)}
          </>
        }
        actions={
          <Button className="text-bad!" disabled={!isOver && task.is_cancel_requested} onClick={() => setEnding(isOver ? "delete" : "cancel")}>
            {isOver ? t("delete") : task.is_cancel_requested ? t("ending") : t("cancel")}
          </Button>
        }
      />
      <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,2fr)_minmax(0,1fr)]">
        <div className="flex min-w-0 flex-col gap-4">
          <Player of={task} />
          <Parameters of={task} />
          {task.arithmetic && <ArithmeticCard of={task.arithmetic} />}
          {isOver && <ReceiptCard address={`/api/tasks/${encodeURIComponent(task.id)}/receipt`} />}
        </div>
        <div className="flex min-w-0 flex-col gap-4">
          <Money of={task} />
          <History of={task} />
          <Technical of={task} />
          {!isOver && <p className="text-sm text-muted">{t("receiptLater")}</p>}
        </div>
      </div>
      {ending && <EndDialog of={task} ending={ending} onClose={() => setEnding(null)} />}
    </>
  );
}
