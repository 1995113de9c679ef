import { useState } from "react";
import { useTexts } from "@/i18n";
import { Button, type Tone } from "@/ui/Button";

const SHOWN_MS = 2000;

/** Copies a text, and says so. */
export function CopyButton({ text, label, tone = "plain" }: { text: string; label?: string; tone?: Tone }) {
  const t = useTexts("common");
  const [isDone, setDone] = useState(false);

  async function copy(): Promise<void> {
    await navigator.clipboard.writeText(text);
    setDone(true);
    setTimeout(() => setDone(false), SHOWN_MS);
  }

  return (
    <Button tone={tone} onClick={() => void copy()}>
      <span aria-live="polite">{isDone ? t("copied") : (label ?? t("copy"))}</span>
    </Button>
  );
}
