import { useTexts } from "@/i18n";
import { ProfileCard } from "@/pages/settings/ProfileCard";
import { SecurityCard } from "@/pages/settings/SecurityCard";
import { SessionsCard } from "@/pages/settings/SessionsCard";
import { PageHead } from "@/ui/Card";

/** Who one is, how one signs in, and where. */
export function Page() {
  const t = useTexts("settings");
  return (
    <div className="mx-auto max-w-4xl">
      <PageHead title={t("title")} lead={t("lead")} />
      <div className="flex flex-col gap-6">
        <ProfileCard />
        <SecurityCard />
        <SessionsCard />
      </div>
    </div>
  );
}
