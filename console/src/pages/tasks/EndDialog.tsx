import { useState } from "react";
import { useNavigate } from "react-router";
import { ApiError } from "@/api/errors";
import { cancelTask, deleteTask, isFinal, type TaskDetails } from "@/api/tasks";
import { useTexts } from "@/i18n";
import { yuan } from "@/lib/money";
import { StateBadge } from "@/pages/tasks/TaskState";
import { paths } from "@/paths";
import { AskDialog } from "@/ui/AskDialog";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";

/** What somebody has set out to do: it stays that, whatever becomes of the task meanwhile. */
export type Ending = "cancel" | "delete";

interface EndDialogProps {
  of: TaskDetails;
  ending: Ending;
  onClose: () => void;
}

/** Deleting a task that has ended, or canceling one that is under way, with what that means. */
export function EndDialog({ of: task, ending, onClose }: EndDialogProps) {
  return ending === "cancel" ? <CancelDialog of={task} onClose={onClose} /> : <DeleteDialog of={task} onClose={onClose} />;
}

type PartProps = Omit<EndDialogProps, "ending">;

function CancelDialog({ of: task, onClose }: PartProps) {
  const t = useTexts("tasks");
  const [isLate, setLate] = useState(false);
  // Its end may be our own doing: then there is nothing to be told.
  if (isLate || (isFinal(task) && !task.is_cancel_requested)) return <TooLate of={task} onClose={onClose} />;
  return (
    <AskDialog
      title={t("cancelTitle")}
      label={t("cancelGo")}
      keepLabel={t("keep")}
      onClose={onClose}
      work={(signal) => cancelTask(task.id, signal)}
      onError={(error) => error instanceof ApiError && error.code === "task_ended" && setLate(true)}
    >
      <Points of={[t("cancelAsk"), t("cancelFree", { amount: yuan(task.ceiling) }), t("cancelCharged")]} />
    </AskDialog>
  );
}

/** It has ended while the dialog was read: nothing is canceled, and nothing deleted in its place. */
function TooLate({ of: task, onClose }: PartProps) {
  const t = useTexts("tasks");
  const common = useTexts("common");
  return (
    <Dialog isOpen onClose={onClose} title={t("lateTitle")}>
      <p className="flex flex-wrap items-center gap-2 text-sm">
        <StateBadge of={task} /> {t("late")}
      </p>
      <div className="flex justify-end">
        <Button onClick={onClose}>{common("close")}</Button>
      </div>
    </Dialog>
  );
}

function DeleteDialog({ of: task, onClose }: PartProps) {
  const t = useTexts("tasks");
  const navigate = useNavigate();
  return (
    <AskDialog
      title={t("deleteTitle")}
      label={t("delete")}
      onClose={onClose}
      work={async (signal) => {
        await deleteTask(task.id, signal);
        await navigate(paths.tasks(), { replace: true });
      }}
    >
      <Points of={[t("deleteFiles"), t("deleteGone"), t("deleteKept")]} />
    </AskDialog>
  );
}

function Points({ of: points }: { of: readonly string[] }) {
  return (
    <ul className="list-disc space-y-1.5 pl-5 text-sm">
      {points.map((point) => (
        <li key={point}>{point}</li>
      ))}
    </ul>
  );
}
