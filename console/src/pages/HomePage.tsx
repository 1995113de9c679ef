import { useTexts } from "@/i18n";
import { useTitle } from "@/lib/title";
import { paths } from "@/paths";
import { ButtonLink } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Code } from "@/ui/Code";

const curl = (hello: string): string => `curl ${location.origin}/v1/chat/completions \\
  -H "Authorization: Bearer $YUANJING_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "qwen3-max", "messages": [{"role": "user", "content": "${hello}"}]}'`;

/** What this is, and where to begin. */
export function HomePage() {
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
      <Code label={t("call")} text={curl(t("hello"))} />
    </div>
  );
}
