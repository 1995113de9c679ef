import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { setPassword } from "@/api/account";
import { useTexts } from "@/i18n";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { TextField } from "@/ui/Field";
import { Problem, problemOf } from "@/ui/Problem";

interface PasswordDialogProps {
  confirmed: <T>(work: () => Promise<T>) => Promise<T>;
  isNew: boolean;
  onClose: () => void;
}

/** A new password. */
export function PasswordDialog({ confirmed, isNew, onClose }: PasswordDialogProps) {
  const t = useTexts("settings");
  const common = useTexts("common");
  const [password, setTyped] = useState("");
  const saving = useMutation({ mutationFn: () => confirmed(() => setPassword(password)), onSuccess: onClose });
  const atField = problemOf(saving.error, "password");

  function submit(event: FormEvent): void {
    event.preventDefault();
    saving.mutate();
  }

  return (
    <Dialog isOpen isSticky onClose={onClose} title={isNew ? t("setPassword") : t("changePassword")}>
      <form noValidate onSubmit={submit} className="flex flex-col gap-4">
        <TextField
          label={t("newPassword")}
          hint={t("newPasswordHint")}
          problem={atField}
          type="password"
          autoComplete="new-password"
          maxLength={128}
          value={password}
          onChange={(event) => setTyped(event.target.value)}
          autoFocus
        />
        {saving.isError && !atField && <Problem error={saving.error} />}
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={onClose}>{common("cancel")}</Button>
          <Button type="submit" tone="primary" disabled={!password} isBusy={saving.isPending}>
            {common("save")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
