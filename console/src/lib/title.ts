/** What the page that is shown is called: in the browser's tab, and aloud when one has come from another page. */

import { useEffect, useSyncExternalStore } from "react";
import { useTexts } from "@/i18n";

let current = "";
const listeners = new Set<() => void>();

function say(title: string): void {
  current = title;
  for (const listener of listeners) listener();
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Name the page, for as long as it is shown. */
export function useTitle(title: string): void {
  const product = useTexts("shell")("product");
  useEffect(() => {
    document.title = title && title !== product ? `${title} · ${product}` : product;
    say(title);
    return () => {
      document.title = product; // until the next page has named itself
    };
  }, [title, product]);
}

/** The name of the page that is shown. */
export function usePageTitle(): string {
  return useSyncExternalStore(listen, () => current);
}
