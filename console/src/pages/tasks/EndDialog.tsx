import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { deleteTask, isFinal, type TaskDetails } from "@/api/tasks";
import { useTexts } from "@/i18n";
import { yuan } from "@/lib/money";
import { paths } from "@/paths";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Problem } from "@/ui/Problem";

interface EndDialogProps {
  of: TaskDetails;
  isOpen: boolean;
  onClose: () => void;
}

/** Deleting a task that has ended, or canceling one that is under way, with what that means. */
export function EndDialog({ of: task, isOpen, onClose }: EndDialogProps) {
  const t = useTexts("tasks");
  const common = useTexts("common");
  const navigate = useNavigate();
  const ending = useMutation({
    mutationFn: async () => {
      if (await deleteTask(task.id)) await navigate(paths.tasks(), { replace: true });
      else onClose();
    },
  });
  const isDelete = isFinal(task);
  const points = isDelete
    ? [t("deleteFiles"), t("deleteGone"), t("deleteKept")]
    : [t("cancelAsk"), t("cancelFree", { amount: yuan(task.ceiling) }), t("cancelCharged")];
  return (
    <Dialog isOpen={isOpen} onClose={onClose} title={isDelete ? t("deleteTitle") : t("cancelTitle")}>
      <ul className="list-disc space-y-1.5 pl-5 text-sm">
        {points.map((point) => (
          <li key={point}>{point}</li>
        ))}
      </ul>
      {ending.isError && <Problem error={ending.error} />}
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>{isDelete ? common("cancel") : t("keep")}</Button>
        <Button tone="danger" isBusy={ending.isPending} onClick={() => ending.mutate()}>
          {isDelete ? t("delete") : t("cancelGo")}
        </Button>
      </div>
    </Dialog>
  );
}
