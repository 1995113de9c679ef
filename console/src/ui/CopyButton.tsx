import { useEffect, useRef, useState } from "react";
import { useTexts } from "@/i18n";
import { copyText } from "@/lib/clipboard";
import { Button, type Tone } from "@/ui/Button";
import { controlClass } from "@/ui/Field";

const SHOWN_MS = 2000;
const ROWS_MAX = 6;

/** Copies a text, and says so; where the browser does not let it, the text is there, selected, to be copied by hand. */
export function CopyButton({ text, label, tone = "plain" }: { text: string; label?: string; tone?: Tone }) {
  const t = useTexts("common");
  const [state, setState] = useState<"ready" | "done" | "refused">("ready");
  const button = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    if (state !== "done") return;
    const timer = setTimeout(() => setState("ready"), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [state]);

  async function copy(): Promise<void> {
    if (button.current) setState((await copyText(text, button.current)) ? "done" : "refused");
  }

  return (
    <>
      <Button ref={button} tone={tone} onClick={() => void copy()}>
        <span aria-live="polite">{state === "done" ? t("copied") : (label ?? t("copy"))}</span>
      </Button>
      {state === "refused" && (
        <label className="flex w-full flex-col gap-1 text-left text-sm text-warn">
          {t("copyByHand")}
          <textarea readOnly rows={Math.min(text.split("\n").length, ROWS_MAX)} value={text} ref={(field) => field?.select()} onBlur={() => setState("ready")} className={`${controlClass} py-2 font-mono break-all`} />
        </label>
      )}
    </>
  );
}
