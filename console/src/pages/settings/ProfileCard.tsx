import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { changeProfile, type Profile, useProfile } from "@/api/account";
import { chooseLanguage, useTexts } from "@/i18n";
import { moment } from "@/lib/time";
import { draftOf, type Edits, isLanguage, isWrongAmount, patchOf, realEdits } from "@/pages/settings/edits";
import { Unsaved } from "@/shell/Unsaved";
import { Button } from "@/ui/Button";
import { Card, Skeleton } from "@/ui/Card";
import { Facts } from "@/ui/Facts";
import { SelectField, TextField } from "@/ui/Field";
import { Loaded } from "@/ui/Loaded";
import { Problem, problemOf } from "@/ui/Problem";

/** Name, language, and when to be told of a low balance. */
export function ProfileCard() {
  const t = useTexts("settings");
  return (
    <Card>
      <h2 className="mb-4">{t("profile")}</h2>
      <Loaded of={useProfile()} skeleton={<Skeleton className="h-56 w-full" />}>
        {(profile) => <ProfileForm of={profile} />}
      </Loaded>
    </Card>
  );
}

function ProfileForm({ of: profile }: { of: Profile }) {
  const t = useTexts("settings");
  const common = useTexts("common");
  const [typed, setTyped] = useState<Edits>({});
  const [isTried, setTried] = useState(false);
  const kept = draftOf(profile);
  const edits = realEdits(kept, typed);
  const shown = { ...kept, ...edits };
  const isDirty = Object.keys(edits).length > 0;

  const saving = useMutation({
    mutationFn: async (changes: Edits) => {
      if (Object.keys(changes).length > 0) await changeProfile(patchOf(changes));
      if (isLanguage(changes.language)) await chooseLanguage(changes.language);
    },
    // What is typed while it is saved stays an edit.
    onSuccess: (_, saved) => setTyped((now) => realEdits({ ...kept, ...saved }, now)),
  });
  const problem = (field: string) => problemOf(saving.error, field);
  const isAtField = ["name", "language", "low_balance"].some(problem);
  const bind = (name: keyof Edits) => ({
    value: shown[name],
    onChange: (event: { target: { value: string } }) => setTyped({ ...edits, [name]: event.target.value }),
  });

  function submit(event: FormEvent): void {
    event.preventDefault();
    setTried(true);
    if (!isWrongAmount(edits)) saving.mutate(edits);
  }

  return (
    <form noValidate onSubmit={submit} onChange={() => saving.reset()} className="flex flex-col gap-4">
      <div className="grid gap-4 sm:grid-cols-2">
        <TextField label={t("name")} hint={t("nameHint")} problem={problem("name")} maxLength={100} autoComplete="nickname" {...bind("name")} />
        <SelectField
          label={t("language")}
          hint={t("languageHint")}
          problem={problem("language")}
          options={[
            ["", t("languageNone")],
            ["zh", "中文"],
            ["en", "English"],
          ]}
          {...bind("language")}
        />
        <TextField
          label={t("lowBalance")}
          hint={t("lowBalanceHint")}
          problem={isTried && isWrongAmount(edits) ? t("lowBalanceWrong") : problem("low_balance")}
          inputMode="decimal"
          {...bind("lowBalance")}
        />
      </div>
      <Facts
        items={[
          [t("customer"), <code key="id" className="break-all">{profile.id}</code>],
          [t("since"), moment(profile.created_at)],
        ]}
      />
      {saving.isError && !isAtField && <Problem error={saving.error} />}
      <div className="flex items-center gap-3">
        <Button type="submit" tone="primary" isBusy={saving.isPending}>
          {common("save")}
        </Button>
        <span role="status" className={isDirty ? "text-sm text-muted" : "text-sm text-good"}>
          {isDirty ? t("unsaved") : saving.isSuccess && t("saved")}
        </span>
      </div>
      <Unsaved isDirty={isDirty} />
    </form>
  );
}
