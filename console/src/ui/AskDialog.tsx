import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useEffect, useRef } from "react";
import { useTexts } from "@/i18n";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Problem } from "@/ui/Problem";

interface AskDialogProps {
  title: string;
  /** What is done. */
  label: string;
  /** What keeps things as they are; "cancel" where that is no word for something else. */
  keepLabel?: string;
  /** Does it; given up when the dialog is closed before it is done. */
  work: (signal: AbortSignal) => Promise<unknown>;
  onError?: (error: Error) => void;
  onClose: () => void;
  /** What it means. */
  children: ReactNode;
}

/**
 * Something that cannot be undone by itself: asked once, with what it means. Where closing it comes before the answer,
 * nothing is done later, when nobody expects it.
 */
export function AskDialog({ title, label, keepLabel, work, onError, onClose, children }: AskDialogProps) {
  const common = useTexts("common");
  const running = useRef<AbortController | null>(null);
  const doing = useMutation({
    mutationFn: () => {
      running.current = new AbortController();
      return work(running.current.signal);
    },
    onSuccess: onClose,
    ...(onError && { onError }),
  });
  useEffect(() => () => running.current?.abort(), []);
  return (
    <Dialog isOpen onClose={onClose} title={title}>
      {children}
      {doing.isError && <Problem error={doing.error} />}
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>{keepLabel ?? common("cancel")}</Button>
        <Button tone="danger" isBusy={doing.isPending} onClick={() => doing.mutate()}>
          {label}
        </Button>
      </div>
    </Dialog>
  );
}
