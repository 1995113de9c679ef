import { useMutation } from "@tanstack/react-query";
import { useTexts } from "@/i18n";
import { NotConfirmedError } from "@/pages/settings/useConfirmation";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Problem } from "@/ui/Problem";

interface AskDialogProps {
  title: string;
  /** What it means. */
  text: string;
  label: string;
  work: () => Promise<unknown>;
  onClose: () => void;
}

/** Something that cannot be undone by itself: asked once, with what it means. */
export function AskDialog({ title, text, label, work, onClose }: AskDialogProps) {
  const common = useTexts("common");
  const doing = useMutation({ mutationFn: work, onSuccess: onClose });
  return (
    <Dialog isOpen isSticky={doing.isPending} onClose={onClose} title={title}>
      <p className="text-sm">{text}</p>
      {doing.isError && !(doing.error instanceof NotConfirmedError) && <Problem error={doing.error} />}
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>{common("cancel")}</Button>
        <Button tone="danger" isBusy={doing.isPending} onClick={() => doing.mutate()}>
          {label}
        </Button>
      </div>
    </Dialog>
  );
}
