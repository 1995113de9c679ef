import { type ReactNode, useState } from "react";
import { removePassword, removeTotp, renewRecoveryCodes, useProfile } from "@/api/account";
import { useTexts } from "@/i18n";
import { AskDialog } from "@/pages/settings/AskDialog";
import { MobileDialog } from "@/pages/settings/MobileDialog";
import { PasswordDialog } from "@/pages/settings/PasswordDialog";
import { RecoveryDialog } from "@/pages/settings/RecoveryDialog";
import { TotpDialog } from "@/pages/settings/TotpDialog";
import { useConfirmation } from "@/pages/settings/useConfirmation";
import { Button } from "@/ui/Button";
import { Badge, Card, Skeleton } from "@/ui/Card";
import { Problem } from "@/ui/Problem";

type Doing = "mobile" | "password" | "removePassword" | "totp" | "removeTotp" | "renewRecovery";

/** How one signs in. What changes it wants a proof, which the API asks for. */
export function SecurityCard() {
  const t = useTexts("settings");
  const profile = useProfile();
  const { confirmed, dialog } = useConfirmation();
  const [doing, setDoing] = useState<Doing | null>(null);
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  const stop = () => setDoing(null);

  if (profile.isPending) return <Skeleton className="h-72 w-full" />;
  if (profile.isError) return <Problem error={profile.error} onRetry={() => void profile.refetch()} />;
  const { mobile, factors } = profile.data;
  return (
    <Card>
      <h2>{t("security")}</h2>
      <div className="divide-y divide-line">
        <Line name={t("mobile")} about={<span className="tabular-nums">{mobile}</span>}>
          <Button aria-label={t("changeMobile")} onClick={() => setDoing("mobile")}>
            {t("change")}
          </Button>
        </Line>
        <Line name={t("password")} isOn={factors.password} about={factors.password ? t("passwordOn") : t("passwordOff")}>
          <Button onClick={() => setDoing("password")}>{factors.password ? t("changePassword") : t("setPassword")}</Button>
          {factors.password && (
            <Button tone="quiet" className="text-bad!" aria-label={t("removePassword")} onClick={() => setDoing("removePassword")}>
              {t("remove")}
            </Button>
          )}
        </Line>
        <Line name={t("totp")} isOn={factors.totp} about={factors.totp ? t("totpOn") : t("totpOff")}>
          {factors.totp ? (
            <Button tone="quiet" className="text-bad!" aria-label={t("removeTotp")} onClick={() => setDoing("removeTotp")}>
              {t("turnOff")}
            </Button>
          ) : (
            <Button onClick={() => setDoing("totp")}>{t("setTotp")}</Button>
          )}
        </Line>
        {factors.totp && (
          <Line name={t("recovery")} about={t("recoveryLeft", { count: factors.recovery_codes_left })}>
            <Button onClick={() => setDoing("renewRecovery")}>{t("renewRecovery")}</Button>
          </Line>
        )}
      </div>
      {doing === "mobile" && <MobileDialog confirmed={confirmed} hasTotp={factors.totp} onClose={stop} />}
      {doing === "password" && <PasswordDialog confirmed={confirmed} isNew={!factors.password} onClose={stop} />}
      {doing === "totp" && <TotpDialog confirmed={confirmed} onCodes={setCodes} onClose={stop} />}
      {doing === "removePassword" && (
        <AskDialog title={t("removePassword")} text={t("removePasswordHint")} label={t("remove")} onClose={stop} work={() => confirmed(removePassword)} />
      )}
      {doing === "removeTotp" && (
        <AskDialog title={t("removeTotp")} text={t("removeTotpHint")} label={t("turnOff")} onClose={stop} work={() => confirmed(removeTotp)} />
      )}
      {doing === "renewRecovery" && (
        <AskDialog
          title={t("renewRecovery")}
          text={t("renewRecoveryHint")}
          label={t("renewRecovery")}
          onClose={stop}
          work={async () => setCodes(await confirmed(renewRecoveryCodes))}
        />
      )}
      <RecoveryDialog codes={codes} onClose={() => setCodes(null)} />
      {dialog}
    </Card>
  );
}

interface LineProps {
  name: string;
  about: ReactNode;
  isOn?: boolean;
  children: ReactNode;
}

function Line({ name, about, isOn, children }: LineProps) {
  return (
    <div className="flex flex-wrap items-center justify-between gap-3 py-4 last:pb-0">
      <div className="min-w-0 flex-1 basis-56">
        <h3 className="flex items-center gap-2 text-sm">
          {name}
          {isOn && <Badge tone="good">✓</Badge>}
        </h3>
        <p className="text-sm text-muted">{about}</p>
      </div>
      <div className="flex flex-wrap gap-2">{children}</div>
    </div>
  );
}
