import { type ReactNode, useRef, useState } from "react";
import { ApiError, NotConfirmedError } from "@/api/errors";
import { ConfirmDialog } from "@/pages/settings/ConfirmDialog";

interface Waiting {
  goOn: () => void;
  giveUp: (why: Error) => void;
}

/**
 * Work that the API may want a proof for: it is tried, and where 403 `confirmation_required` comes back, tried again
 * after the dialog. The dialog is to be drawn once, with the page.
 */
export function useConfirmation(): { confirmed: <T>(work: () => Promise<T>) => Promise<T>; dialog: ReactNode } {
  const waiting = useRef<Waiting | null>(null);
  const [isAsking, setAsking] = useState(false);

  async function confirmed<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ApiError && error.code === "confirmation_required")) throw error;
    }
    await new Promise<void>((goOn, giveUp) => {
      waiting.current = { goOn, giveUp };
      setAsking(true);
    });
    return work();
  }

  function end(isConfirmed: boolean): void {
    setAsking(false);
    if (isConfirmed) waiting.current?.goOn();
    else waiting.current?.giveUp(new NotConfirmedError());
    waiting.current = null;
  }

  const dialog = isAsking && <ConfirmDialog onDone={() => end(true)} onCancel={() => end(false)} />;
  return { confirmed, dialog };
}
