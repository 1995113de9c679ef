/** What an offer takes: its JSON Schema, and the hints in it, as the fields of a form. */

export type Value = string | number | boolean;
export type Values = Readonly<Record<string, Value>>;

export interface Property {
  type?: string | readonly string[];
  enum?: readonly Value[];
  default?: Value;
  const?: unknown;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  maxItems?: number;
  "x-label"?: string;
  "x-label-zh"?: string;
  "x-hint"?: string;
  "x-role"?: string;
  "x-advanced"?: boolean;
}

export interface Schema {
  properties?: Readonly<Record<string, Property>>;
  required?: readonly string[];
  allOf?: readonly Rule[];
  anyOf?: readonly { required?: readonly string[] }[];
  "x-order"?: readonly string[];
}

/** A condition, and what holds then; also what stands without one. */
interface Rule extends Schema {
  if?: Condition;
  then?: Schema;
  dependentRequired?: Readonly<Record<string, readonly string[]>>;
}

interface Condition {
  properties?: Readonly<Record<string, { const?: unknown }>>;
  required?: readonly string[];
  allOf?: readonly Condition[];
}

export interface Field extends Property {
  name: string;
  isRequired: boolean;
}

function holds(condition: Condition, given: Readonly<Record<string, unknown>>): boolean {
  const consts = Object.entries(condition.properties ?? {});
  return (
    consts.every(([name, one]) => !("const" in one) || given[name] === undefined || given[name] === one.const) &&
    (condition.required ?? []).every((name) => given[name] !== undefined) &&
    (condition.allOf ?? []).every((one) => holds(one, given))
  );
}

/** The fields in their order, as they are once this much is filled in; conditions change them. */
export function fieldsOf(schema: Schema, given: Readonly<Record<string, unknown>>): Field[] {
  const found = new Map<string, Property>(Object.entries(schema.properties ?? {}));
  const required = new Set(schema.required ?? []);
  for (const rule of schema.allOf ?? []) {
    for (const [one, others] of Object.entries(rule.dependentRequired ?? {}))
      if (given[one] !== undefined) for (const other of others) required.add(other);
    if (!rule.if || !rule.then || !holds(rule.if, given)) continue;
    for (const [name, change] of Object.entries(rule.then.properties ?? {}))
      if (found.has(name)) found.set(name, { ...found.get(name), ...change });
    for (const name of rule.then.required ?? []) required.add(name);
  }
  const order = schema["x-order"] ?? [...found.keys()];
  return order.flatMap((name) => {
    const property = found.get(name);
    return property ? [{ ...property, name, isRequired: required.has(name) }] : [];
  });
}

/** The kind of control that a field gets; null where a form has none. */
export function kindOf(field: Field): "text" | "choice" | "number" | "integer" | "switch" | "file" | null {
  const types = Array.isArray(field.type) ? field.type : [field.type];
  if (field["x-role"]) return "file";
  if (field.enum) return "choice";
  if (types.includes("boolean")) return "switch";
  if (types.includes("integer")) return "integer";
  if (types.includes("number")) return "number";
  return types.includes("string") && !types.includes("array") && !types.includes("object") ? "text" : null;
}

/** The name of a field in the language that is shown. */
export function labelOf(field: Field, language: "zh" | "en"): string {
  return (language === "zh" ? field["x-label-zh"] : field["x-label"]) ?? field["x-label"] ?? field.name;
}

/** What somebody has typed, as the request has it; null where it is nothing, or not what the field takes. */
export function valueOf(field: Field, typed: string): Value | null {
  if (typed.trim() === "") return null;
  if (field.enum) return field.enum.find((one) => String(one) === typed) ?? null;
  const kind = kindOf(field);
  if (kind === "switch") return typed === "true";
  if (kind !== "integer" && kind !== "number") return typed;
  const number = Number(typed);
  return Number.isFinite(number) && (kind === "number" || Number.isInteger(number)) ? number : null;
}

/** Whether a value is within the field's bounds. */
export function isWithin(field: Field, value: Value): boolean {
  if (field.enum) return field.enum.includes(value);
  if (typeof value === "string") return value.length <= (field.maxLength ?? Infinity);
  return typeof value === "boolean" || (value >= (field.minimum ?? -Infinity) && value <= (field.maximum ?? Infinity));
}
