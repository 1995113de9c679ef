import { Fragment } from "react";
import type { Model } from "@/api/models";
import { useLanguage, useTexts } from "@/i18n";
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
  const requests = requestsOf(model, dialect, useLanguage());
  const second = t(model.operation === "chat" ? "streamed" : "query");
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
      {requests.map((one, place) => (
        <Fragment key={place}>
          {place > 0 && <p className="mt-1 text-sm text-muted">{second}</p>}
          <Code label={`${label} · ${one.method} ${one.path}`} text={codeOf(one, language, location.origin)} />
        </Fragment>
      ))}
    </div>
  );
}
