/** The parameters of chat that the playground has controls for: those of the chosen models that are single values. */

import type { Typed } from "@/playground/SchemaFields";
import { type Offer, schemaOf } from "@/playground/offers";
import { type Field, fieldsOf, isWithin, kindOf, type Value, valueOf } from "@/playground/schema";

/** What the page itself fills in, and what shows nothing in a chat. */
const LEFT_OUT = new Set(["model", "messages", "prompt", "sys_prompt", "llmid", "stream", "stream_options", "n", "user", "logprobs", "top_logprobs", "parallel_tool_calls", "stop"]);

function own(offer: Offer): Field[] {
  return fieldsOf(schemaOf(offer), {}).filter((field) => !LEFT_OUT.has(field.name) && kindOf(field) !== null);
}

/** The fields of all these models, each once. */
export function chatFields(offers: readonly Offer[]): Field[] {
  const found = new Map<string, Field>();
  for (const field of offers.flatMap(own)) if (!found.has(field.name)) found.set(field.name, field);
  return [...found.values()];
}

/** What a model gets of what was filled in: only what it knows. Nothing is sent while `invalidFields` has any. */
export function chatValues(offer: Offer, typed: Typed): Record<string, Value> {
  const given: Record<string, Value> = {};
  for (const field of own(offer)) {
    const value = valueOf(field, typed[field.name] ?? "");
    if (value !== null && isWithin(field, value)) given[field.name] = value;
  }
  return given;
}

/** A value that a model does not take. */
export interface Invalid {
  field: Field;
  offer: Offer;
}

/** What was filled in and cannot be sent: models may have bounds of their own. */
export function invalidFields(offers: readonly Offer[], typed: Typed): Invalid[] {
  return offers.flatMap((offer) =>
    own(offer).flatMap((field) => {
      const text = typed[field.name] ?? "";
      const value = valueOf(field, text);
      const isGood = text.trim() === "" || (value !== null && isWithin(field, value));
      return isGood ? [] : [{ field, offer }];
    }),
  );
}
