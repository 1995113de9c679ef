/** A request's fields with those inside them, for a table: each under its path, such as `messages[].role`. */

import type { Field, Property } from "@/playground/schema";

/** A property has also what no form needs. */
export interface Shown extends Field {
  "x-aliases"?: readonly string[];
  exclusiveMinimum?: number;
  minItems?: number;
  items?: Nested;
  properties?: Readonly<Record<string, Nested>>;
  required?: readonly string[];
}
type Nested = Property & Pick<Shown, "items" | "properties" | "required">;

/** Each field, and after it what it consists of. */
export function withNested(fields: readonly Shown[]): Shown[] {
  return fields.flatMap((field) => [field, ...inside(field.name, field), ...inside(`${field.name}[]`, field.items)]);
}

function inside(path: string, parent: Nested | undefined): Shown[] {
  const parts = Object.entries(parent?.properties ?? {});
  return withNested(parts.map(([name, part]) => ({ ...part, name: `${path}.${name}`, isRequired: parent?.required?.includes(name) ?? false })));
}

/** The types that it may have; of a list also those of its items. */
export function typeOf({ type, enum: choices, items }: Shown): string {
  const own = listOf(type ?? (choices ? typeof choices[0] : undefined));
  const of = listOf(items?.type).join(" | ");
  return own.map((one) => (one === "array" && of ? `array<${of}>` : one)).join(" | ") || "—";
}

function listOf(types: string | readonly string[] | undefined): readonly string[] {
  const all = typeof types === "string" ? [types] : (types ?? []);
  return all.filter((one) => one !== "null");
}
