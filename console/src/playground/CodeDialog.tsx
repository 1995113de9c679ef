import { useState } from "react";
import { useTexts } from "@/i18n";
import { type CodeRequest, codeOf, type Language, LANGUAGES } from "@/playground/code";
import { Button } from "@/ui/Button";
import { Code } from "@/ui/Code";
import { Dialog } from "@/ui/Dialog";

/** A button that shows a request as a program. */
export function CodeButton({ request }: { request: () => CodeRequest }) {
  const t = useTexts("playground");
  const [shown, setShown] = useState<CodeRequest | null>(null);
  return (
    <>
      <Button tone="quiet" onClick={() => setShown(request())}>
        {t("code")}
      </Button>
      <Dialog isOpen={shown !== null} onClose={() => setShown(null)} title={t("code")} isWide>
        {shown && <CodeTabs requests={[shown]} />}
      </Dialog>
    </>
  );
}

/** Requests that belong together as programs, in a language of one's choice. */
export function CodeTabs({ requests }: { requests: readonly CodeRequest[] }) {
  const t = useTexts("playground");
  const [language, setLanguage] = useState<Language>("curl");
  const texts = requests.map((one) => codeOf(one, language, location.origin));
  const hasFiles = texts.some((one) => one.includes("…")) || requests.some((one) => one.form?.some(([, , isFile]) => isFile));
  const label = LANGUAGES.find(([name]) => name === language)?.[1] ?? language;
  return (
    <>
      <div role="group" aria-label={t("language")} className="flex flex-wrap gap-1">
        {LANGUAGES.map(([name, label]) => (
          <Button key={name} tone={name === language ? "plain" : "quiet"} aria-pressed={name === language} onClick={() => setLanguage(name)}>
            {label}
          </Button>
        ))}
      </div>
      {requests.map(({ method, path }, index) => (
        <Code key={`${method} ${path}`} text={texts[index] ?? ""} label={requests.length > 1 ? `${label} · ${method} ${path}` : label} />
      ))}
      <p className="text-sm text-muted">
        {t("codeHint")} {hasFiles && t("codeFiles")}
      </p>
    </>
  );
}
