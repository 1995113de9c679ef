/** What a new key can be tried with. */

import type { Model } from "@/api/models";
import type { Language } from "@/i18n";
import { dialectsOf, requestsOf } from "@/pages/models/snippets";
import type { CodeRequest } from "@/playground/code";

/** A request to a model that is sold and that the key may use, of chat if there is one; null if there is none at all. */
export function firstRequest(sold: readonly Model[], allowed: readonly string[], language: Language): CodeRequest | null {
  const usable = sold.filter((one) => !allowed.length || [one.llmid, one.model, ...one.aliases].some((name) => allowed.includes(name)));
  const model = usable.find((one) => one.operation === "chat") ?? usable[0];
  const dialect = model && dialectsOf(model)[0];
  return model && dialect ? requestsOf(model, dialect, language)[0] : null;
}
