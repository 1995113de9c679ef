import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { changeProfile, type Profile, useProfile } from "@/api/account";
import { chooseLanguage, useTexts } from "@/i18n";
import { parseYuan } from "@/lib/money";
import { moment } from "@/lib/time";
import { Button } from "@/ui/Button";
import { Card, Skeleton } from "@/ui/Card";
import { Facts } from "@/ui/Facts";
import { SelectField, TextField } from "@/ui/Field";
import { Problem, problemOf } from "@/ui/Problem";

/** Name, language, and when to be told of a low balance. */
export function ProfileCard() {
  const t = useTexts("settings");
  const profile = useProfile();
  return (
    <Card>
      <h2 className="mb-4">{t("profile")}</h2>
      {profile.isPending ? (
        <Skeleton className="h-56 w-full" />
      ) : profile.isError ? (
        <Problem error={profile.error} onRetry={() => void profile.refetch()} />
      ) : (
        <ProfileForm of={profile.data} />
      )}
    </Card>
  );
}

function isLanguage(text: string): text is "zh" | "en" {
  return text === "zh" || text === "en";
}

function ProfileForm({ of: profile }: { of: Profile }) {
  const t = useTexts("settings");
  const common = useTexts("common");
  const [name, setName] = useState(profile.name);
  const [language, setLanguage] = useState<string>(profile.language ?? "");
  const [lowBalance, setLowBalance] = useState(profile.low_balance ?? "");
  const [isTried, setTried] = useState(false);
  const line = lowBalance.trim() ? parseYuan(lowBalance) : null;
  const isWrong = lowBalance.trim() !== "" && line === null;

  const saving = useMutation({
    mutationFn: async () => {
      const chosen = isLanguage(language) ? language : null;
      await changeProfile({ name, language: chosen, low_balance: line });
      if (chosen) await chooseLanguage(chosen);
    },
  });
  const problem = (field: string) => problemOf(saving.error, field);
  const isAtField = ["name", "language", "low_balance"].some(problem);

  function submit(event: FormEvent): void {
    event.preventDefault();
    setTried(true);
    if (!isWrong) saving.mutate();
  }

  return (
    <form noValidate onSubmit={submit} onChange={() => saving.reset()} className="flex flex-col gap-4">
      <div className="grid gap-4 sm:grid-cols-2">
        <TextField label={t("name")} hint={t("nameHint")} problem={problem("name")} value={name} onChange={(event) => setName(event.target.value)} maxLength={100} autoComplete="nickname" />
        <SelectField
          label={t("language")}
          hint={t("languageHint")}
          problem={problem("language")}
          value={language}
          onChange={(event) => setLanguage(event.target.value)}
          options={[
            ["", t("languageNone")],
            ["zh", "中文"],
            ["en", "English"],
          ]}
        />
        <TextField
          label={t("lowBalance")}
          hint={t("lowBalanceHint")}
          problem={isTried && isWrong ? t("lowBalanceWrong") : problem("low_balance")}
          value={lowBalance}
          onChange={(event) => setLowBalance(event.target.value)}
          inputMode="decimal"
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
        <span role="status" className="text-sm text-good">
          {saving.isSuccess && t("saved")}
        </span>
      </div>
    </form>
  );
}
