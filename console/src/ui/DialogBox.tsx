import { Dialog as Base } from "@base-ui/react/dialog";
import type { DialogProps } from "@/ui/Dialog";

/** What `Dialog` shows. */
export function DialogBox({ isOpen, onClose, title, isSticky = false, isWide = false, children }: DialogProps) {
  return (
    <Base.Root open={isOpen} disablePointerDismissal={isSticky} onOpenChange={(open) => !open && !isSticky && onClose()}>
      <Base.Portal>
        <Base.Backdrop className="fixed inset-0 z-40 bg-black/45 transition-opacity data-[ending-style]:opacity-0 data-[starting-style]:opacity-0" />
        <Base.Popup
          className={`fixed top-1/2 left-1/2 z-40 max-h-[90dvh] ${isWide ? "w-[min(52rem,calc(100vw-2rem))]" : "w-[min(34rem,calc(100vw-2rem))]"} -translate-x-1/2 -translate-y-1/2 overflow-auto rounded-card border border-line bg-raised p-6 shadow-raised transition-[opacity,scale] data-[ending-style]:scale-98 data-[ending-style]:opacity-0 data-[starting-style]:scale-98 data-[starting-style]:opacity-0`}
        >
          <Base.Title className="text-lg font-semibold">{title}</Base.Title>
          <div className="mt-4 flex flex-col gap-4">{children}</div>
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}
