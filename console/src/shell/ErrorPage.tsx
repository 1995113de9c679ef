import { useState } from "react";
import { useRouteError } from "react-router";
import { useTexts } from "@/i18n";
import { useTitle } from "@/lib/title";
import { paths } from "@/paths";
import { LoadError, reload, type Trouble } from "@/shell/loading";
import { Button, ButtonLink } from "@/ui/Button";
import { Empty } from "@/ui/Card";
import { Problem } from "@/ui/Problem";

const here = (): string => location.pathname + location.search;

/** A page that has failed: what to do, and the rest of the console goes on. */
export function ErrorPage() {
  const error = useRouteError();
  if (error instanceof LoadError) return <Unloaded first={error.trouble} />;
  return (
    <div className="mx-auto max-w-3xl py-6">
      <Problem error={error} onRetry={() => location.reload()} />
    </div>
  );
}

/** A page that could not be fetched at all. */
function Unloaded({ first }: { first: Trouble }) {
  const t = useTexts("shell");
  const common = useTexts("common");
  const [trouble, setTrouble] = useState(first);
  const [isTrying, setTrying] = useState(false);

  async function again(): Promise<void> {
    setTrying(true);
    setTrouble(await reload(here()));
    setTrying(false);
  }

  return (
    <Empty isPage title={t(trouble)}>
      <p role="alert" className="mb-4">
        {t(trouble === "offline" ? "offlineHint" : "outdatedHint")}
      </p>
      <Button tone="primary" isBusy={isTrying} onClick={() => void again()}>
        {trouble === "offline" ? common("retry") : t("reload")}
      </Button>
    </Empty>
  );
}

export function NotFoundPage() {
  const t = useTexts("common");
  useTitle(t("notFound"));
  return (
    <Empty isPage title={t("notFound")}>
      <p className="mb-4">{t("notFoundHint")}</p>
      <ButtonLink to={paths.home()}>{t("toHome")}</ButtonLink>
    </Empty>
  );
}
