import { lazy, type ReactNode, Suspense, useEffect, useState } from "react";

export interface DialogProps {
  isOpen: boolean;
  onClose: () => void;
  title: string;
  /** What is in it would be lost: only its own buttons close it. */
  isSticky?: boolean;
  /** For code and tables. */
  isWide?: boolean;
  children: ReactNode;
}

const load = () => import("@/ui/DialogBox");
const DialogBox = lazy(async () => ({ default: (await load()).DialogBox }));
/** When a page rests it fetches what its dialogs are drawn with, which no page needs to be drawn. */
const REST_MS = 3000;

/** Something that has to be settled before one goes on; Escape and the veil close it. */
export function Dialog(props: DialogProps) {
  const [isWanted, setWanted] = useState(props.isOpen);
  if (props.isOpen && !isWanted) setWanted(true);
  useEffect(() => {
    const timer = setTimeout(() => void load().catch(() => undefined), REST_MS); // one that is opened tells
    return () => clearTimeout(timer);
  }, []);
  return (
    isWanted && (
      <Suspense fallback={null}>
        <DialogBox {...props} />
      </Suspense>
    )
  );
}
