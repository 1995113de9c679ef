import { useMutation } from "@tanstack/react-query";
import { type Customer, goOnAsOther, useTab } from "@/api/session";
import { useTexts } from "@/i18n";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Problem } from "@/ui/Problem";

const nameOf = (customer: Customer | null): string => customer?.name || customer?.mobile || "";

interface OtherDialogProps {
  /** Not where the owner has signed out: then what is here is not shown any more. */
  mayStay: boolean;
  onClose: () => void;
}

/** Somebody else has signed in, in another window: what is here stays its owner's, and nothing is done for the other. */
export function OtherDialog({ mayStay, onClose }: OtherDialogProps) {
  const t = useTexts("shell");
  const { owner, other } = useTab();
  const going = useMutation({ mutationFn: goOnAsOther });
  return (
    <Dialog isOpen isSticky={!mayStay} onClose={onClose} title={t("otherTitle")}>
      <p className="text-sm">{t("otherHint", { owner: nameOf(owner), other: nameOf(other) })}</p>
      {going.isError && <Problem error={going.error} />}
      <div className="flex flex-wrap justify-end gap-2">
        {mayStay && <Button onClick={onClose}>{t("otherStay")}</Button>}
        <Button tone="primary" isBusy={going.isPending} onClick={() => going.mutate()}>
          {t("otherGo", { other: nameOf(other) })}
        </Button>
      </div>
    </Dialog>
  );
}
