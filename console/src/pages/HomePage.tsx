import { Link } from "react-router";
import { useModels } from "@/api/models";
import { useTexts } from "@/i18n";
import { useTitle } from "@/lib/title";
import { exampleChat } from "@/pages/models/examples";
import { paths } from "@/paths";
import { ButtonLink } from "@/ui/Button";
import { Card, Skeleton } from "@/ui/Card";
import { Code } from "@/ui/Code";

const SHOWN = 6;

const curl = (model: string, hello: string): string => `curl ${location.origin}/v1/chat/completions \\
  -H "Authorization: Bearer $YUANJING_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "${model}", "messages": [{"role": "user", "content": "${hello}"}]}'`;

/** What this is, and where to begin. */
export function Page() {
  const t = useTexts("home");
  useTitle(useTexts("shell")("product"));
  const reasons = [
    [t("compatibleTitle"), t("compatible")],
    [t("exactTitle"), t("exact")],
    [t("sandboxTitle"), t("sandbox")],
  ];
  return (
    <div className="flex flex-col gap-12 py-8 lg:py-16">
      <div className="max-w-2xl">
        <h1 className="text-4xl leading-tight text-balance">{t("title")}</h1>
        <p className="mt-4 text-lg text-muted">{t("lead")}</p>
        <div className="mt-6 flex flex-wrap gap-3">
          <ButtonLink to={paths.chat()} tone="primary">
            {t("start")}
          </ButtonLink>
          <ButtonLink to={paths.models()}>{t("browse")}</ButtonLink>
          <ButtonLink to={paths.guide()} tone="quiet">
            {t("readGuide")}
          </ButtonLink>
        </div>
      </div>
      <div className="grid gap-4 md:grid-cols-3">
        {reasons.map(([title, text]) => (
          <Card key={title}>
            <h2>{title}</h2>
            <p className="mt-2 text-muted">{text}</p>
          </Card>
        ))}
      </div>
      <FirstCall />
    </div>
  );
}

/** A call to a model that is sold, and which others it could be. */
function FirstCall() {
  const t = useTexts("home");
  const models = useModels();
  if (models.isPending) return <Skeleton className="h-40 w-full" />;
  const sold = models.data ?? [];
  const name = exampleChat(sold);
  const others = sold.filter((one) => one.operation === "chat" && one.model !== name);
  return (
    <section className="flex flex-col gap-3">
      <Code label={t("call")} text={curl(name, t("hello"))} />
      {others.length > 0 && (
        <p className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm text-muted">
          {t("others")}
          {others.slice(0, SHOWN).map((one) => (
            <Link key={one.llmid} to={paths.model(one.llmid)} className="py-1 font-mono text-accent-ink hover:underline">
              {one.model}
            </Link>
          ))}
          <Link to={paths.models()} className="py-1 text-accent-ink underline">
            {t("allModels", { count: String(sold.length) })}
          </Link>
        </p>
      )}
    </section>
  );
}
