import { useCallback } from "react";
import { useTexts } from "@/i18n";
import { words } from "@/i18n/areas/words";

function isKnown(word: string): word is keyof typeof words {
  return Object.hasOwn(words, word);
}

/** The API's words, such as states and meters, in the language of the page; one that is new is shown as it is. */
export function useWords(): (word: string) => string {
  const t = useTexts("words");
  return useCallback((word) => (isKnown(word) ? t(word) : word), [t]);
}
