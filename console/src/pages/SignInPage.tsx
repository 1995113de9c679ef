import { Navigate, useNavigate, useSearchParams } from "react-router";
import { useSession } from "@/api/session";
import { useTexts } from "@/i18n";
import { useTitle } from "@/lib/title";
import { paths } from "@/paths";
import { SignInForm } from "@/shell/SignInForm";
import { Card } from "@/ui/Card";

/** Only a place of the console: what a stranger's link says is not followed to elsewhere. */
function safeNext(next: string | null): string {
  return next !== null && /^\/(?![/\\])/.test(next) ? next : paths.models();
}

export function Page() {
  const t = useTexts("signIn");
  useTitle(t("title"));
  const session = useSession();
  const navigate = useNavigate();
  const next = safeNext(useSearchParams()[0].get("next"));
  if (session.data?.customer) return <Navigate to={next} replace />;
  return (
    <div className="mx-auto max-w-md py-8">
      <h1>{t("title")}</h1>
      <p className="mt-1 mb-6 text-muted">{t("hint")}</p>
      <Card>
        <SignInForm onDone={() => void navigate(next, { replace: true })} />
      </Card>
    </div>
  );
}
