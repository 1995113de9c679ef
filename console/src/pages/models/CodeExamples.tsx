import type { Model } from "@/api/models";
import { useTexts } from "@/i18n";
import { useFilters } from "@/lib/filters";
import { dialectsOf, requestsOf } from "@/pages/models/snippets";
import { codeOf, LANGUAGES } from "@/playground/code";
import { Code } from "@/ui/Code";
import { Segments } from "@/ui/Segments";

/** The model's requests as programs; which dialect and language is in the address. */
export function CodeExamples({ model }: { model: Model }) {
  const t = useTexts("models");
  const filters = useFilters();
  const dialects = dialectsOf(model);
  const dialect = filters.pick("dialect", dialects) ?? dialects[0] ?? "openai";
  const language = filters.pick("code", LANGUAGES.map(([name]) => name)) ?? "curl";
  const [ask, look] = requestsOf(model, dialect);
  const label = LANGUAGES.find(([name]) => name === language)?.[1] ?? language;
  return (
    <div className="flex flex-col gap-3">
      <p className="text-sm text-muted">{t("codeLead")}</p>
      <div className="flex flex-wrap gap-3">
        <Segments
          label={t("dialect")}
          value={dialect}
          options={dialects.map((one) => [one, t(one)] as const)}
          onChange={(one) => filters.change({ dialect: one === dialects[0] ? null : one })}
        />
        <Segments
          label={t("language")}
          value={language}
          options={LANGUAGES}
          onChange={(one) => filters.change({ code: one === "curl" ? null : one })}
        />
      </div>
      <Code label={`${label} · ${ask.method} ${ask.path}`} text={codeOf(ask, language, location.origin)} />
      {look && (
        <>
          <p className="mt-1 text-sm text-muted">{t("query")}</p>
          <Code label={`${label} · ${look.method} ${look.path}`} text={codeOf(look, language, location.origin)} />
        </>
      )}
    </div>
  );
}
