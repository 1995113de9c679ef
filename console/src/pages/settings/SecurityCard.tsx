import { type ReactNode, useState } from "react";
import { type Profile, removePassword, removeTotp, renewRecoveryCodes, useProfile } from "@/api/account";
import { useTexts } from "@/i18n";
import { MobileDialog } from "@/pages/settings/MobileDialog";
import { PasswordDialog } from "@/pages/settings/PasswordDialog";
import { RecoveryDialog } from "@/pages/settings/RecoveryDialog";
import { TotpDialog } from "@/pages/settings/TotpDialog";
import { useConfirmation } from "@/pages/settings/useConfirmation";
import { AskDialog } from "@/ui/AskDialog";
import { Button } from "@/ui/Button";
import { Badge, Card, Skeleton } from "@/ui/Card";
import { Loaded } from "@/ui/Loaded";

type Doing = "mobile" | "password" | "removePassword" | "totp" | "removeTotp" | "renewRecovery";

/**
 * How one signs in. What changes it wants a proof, which the API asks for. The dialogs do not hang on what was heard of the
 * profile: one that shows codes once stays whatever becomes of that.
 */
export function SecurityCard() {
  const t = useTexts("settings");
  const profile = useProfile();
  const { confirmed, dialog } = useConfirmation();
  const [doing, setDoing] = useState<Doing | null>(null);
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  return (
    <Card>
      <h2>{t("security")}</h2>
      <Loaded of={profile} skeleton={<Skeleton className="mt-4 h-60 w-full" />}>
        {(data) => <Ways of={data} onDo={setDoing} />}
      </Loaded>
      {doing !== null && profile.data && (
        <Doings doing={doing} factors={profile.data.factors} confirmed={confirmed} onCodes={setCodes} onClose={() => setDoing(null)} />
      )}
      <RecoveryDialog codes={codes} onClose={() => setCodes(null)} />
      {dialog}
    </Card>
  );
}

/** Each way, and what can be done about it. */
function Ways({ of: { mobile, factors }, onDo }: { of: Profile; onDo: (what: Doing) => void }) {
  const t = useTexts("settings");
  return (
    <div className="divide-y divide-line">
      <Line name={t("mobile")} about={<span className="tabular-nums">{mobile}</span>}>
        <Button aria-label={t("changeMobile")} onClick={() => onDo("mobile")}>
          {t("change")}
        </Button>
      </Line>
      <Line name={t("password")} isOn={factors.password} about={factors.password ? t("passwordOn") : t("passwordOff")}>
        <Button onClick={() => onDo("password")}>{factors.password ? t("changePassword") : t("setPassword")}</Button>
        {factors.password && (
          <Button tone="quiet" className="text-bad!" aria-label={t("removePassword")} onClick={() => onDo("removePassword")}>
            {t("remove")}
          </Button>
        )}
      </Line>
      <Line name={t("totp")} isOn={factors.totp} about={factors.totp ? t("totpOn") : t("totpOff")}>
        {factors.totp ? (
          <Button tone="quiet" className="text-bad!" aria-label={t("removeTotp")} onClick={() => onDo("removeTotp")}>
            {t("turnOff")}
          </Button>
        ) : (
          <Button onClick={() => onDo("totp")}>{t("setTotp")}</Button>
        )}
      </Line>
      {factors.totp && (
        <Line name={t("recovery")} about={t("recoveryLeft", { count: factors.recovery_codes_left })}>
          <Button onClick={() => onDo("renewRecovery")}>{t("renewRecovery")}</Button>
        </Line>
      )}
    </div>
  );
}

interface DoingsProps {
  doing: Doing;
  factors: Profile["factors"];
  confirmed: <T>(work: () => Promise<T>) => Promise<T>;
  onCodes: (codes: readonly string[]) => void;
  onClose: () => void;
}

function Doings({ doing, factors, confirmed, onCodes, onClose }: DoingsProps) {
  const t = useTexts("settings");
  switch (doing) {
    case "mobile":
      return <MobileDialog confirmed={confirmed} hasTotp={factors.totp} onClose={onClose} />;
    case "password":
      return <PasswordDialog confirmed={confirmed} isNew={!factors.password} onClose={onClose} />;
    case "totp":
      return <TotpDialog confirmed={confirmed} onCodes={onCodes} onClose={onClose} />;
    case "removePassword":
      return (
        <AskDialog title={t("removePassword")} label={t("remove")} onClose={onClose} work={(signal) => confirmed(() => removePassword(signal))}>
          <p className="text-sm">{t("removePasswordHint")}</p>
        </AskDialog>
      );
    case "removeTotp":
      return (
        <AskDialog title={t("removeTotp")} label={t("turnOff")} onClose={onClose} work={(signal) => confirmed(() => removeTotp(signal))}>
          <p className="text-sm">{t("removeTotpHint")}</p>
        </AskDialog>
      );
    case "renewRecovery":
      return (
        <AskDialog
          title={t("renewRecovery")}
          label={t("renewRecovery")}
          onClose={onClose}
          work={async () => onCodes(await confirmed(renewRecoveryCodes))} // not given up: the old ones would be gone, the new ones unseen
        >
          <p className="text-sm">{t("renewRecoveryHint")}</p>
        </AskDialog>
      );
  }
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
