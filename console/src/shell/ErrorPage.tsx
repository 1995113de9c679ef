import { useRouteError } from "react-router";
import { useTexts } from "@/i18n";
import { useTitle } from "@/lib/title";
import { paths } from "@/paths";
import { ButtonLink } from "@/ui/Button";
import { Empty } from "@/ui/Card";
import { Problem } from "@/ui/Problem";

/** A page that has failed: what to do, and the rest of the console goes on. */
export function ErrorPage() {
  const error = useRouteError();
  return (
    <main className="mx-auto max-w-3xl p-6">
      <Problem error={error} onRetry={() => location.reload()} />
    </main>
  );
}

export function NotFoundPage() {
  const t = useTexts("common");
  useTitle(t("notFound"));
  return (
    <Empty title={t("notFound")}>
      <p className="mb-4">{t("notFoundHint")}</p>
      <ButtonLink to={paths.home()}>{t("toHome")}</ButtonLink>
    </Empty>
  );
}
