/** The description of the API, read for people: calls by tag, and bodies as rows of fields. */

import type { CodeRequest } from "@/playground/code";

export interface Schema {
  $ref?: string;
  type?: string | readonly string[];
  description?: string;
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  items?: Schema;
  anyOf?: readonly Schema[];
  oneOf?: readonly Schema[];
  allOf?: readonly Schema[];
  enum?: readonly unknown[];
  const?: unknown;
  default?: unknown;
  format?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  maxItems?: number;
  additionalProperties?: boolean | Schema;
}

interface Media {
  schema?: Schema;
  examples?: Readonly<Record<string, { value?: unknown }>>;
}

export interface Answer {
  description?: string;
  content?: Readonly<Record<string, Media>>;
  headers?: Readonly<Record<string, { description?: string }>>;
}

export interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema?: Schema;
}

interface Operation {
  summary?: string;
  description?: string;
  tags?: readonly string[];
  security?: readonly Readonly<Record<string, unknown>>[];
  parameters?: readonly Parameter[];
  requestBody?: { content?: Readonly<Record<string, Media>> };
  responses?: Readonly<Record<string, Answer>>;
}

export interface ApiDocument {
  paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  components?: { schemas?: Readonly<Record<string, Schema>> };
  tags?: readonly { name: string; description?: string }[];
}

export interface Call extends Operation {
  /** `GET /v1/models`, which is its name in the address. */
  id: string;
  method: string;
  path: string;
  /** What is searched, in small letters. */
  text: string;
}

export interface Group {
  tag: string;
  description: string;
  calls: readonly Call[];
}

/** What only those who run the platform call. */
const OF_OPERATORS = "operations";
const DESCRIPTION = "/openapi.json";

/** All calls of customers, each with the text that is searched: its words, and the names of what it takes. */
export function callsOf(document: ApiDocument): Call[] {
  const reader = new SchemaReader(document);
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([, operation]) => path === DESCRIPTION || !operation.tags?.includes(OF_OPERATORS))
      .map(([method, operation]): Call => {
      const id = `${method.toUpperCase()} ${path}`;
      const names = (operation.parameters ?? []).map((one) => one.name);
      const bodies = Object.values(operation.requestBody?.content ?? {}).flatMap(({ schema }) =>
        schema ? reader.rows(schema).map((row) => row.name) : [],
      );
      const text = [id, operation.summary, operation.description, ...names, ...bodies].join("\n").toLowerCase();
      return { ...operation, id, method: method.toUpperCase(), path, text };
    }),
  );
}

/** The calls in the order of the description's tags; `text` leaves only those that have all its words. */
export function groupsOf(document: ApiDocument, calls: readonly Call[], text: string): Group[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = calls.filter((call) => words.every((word) => call.text.includes(word)));
  const told = document.tags ?? [];
  const others = new Set(calls.flatMap((call) => call.tags ?? []).filter((tag) => !told.some(({ name }) => name === tag)));
  return [...told, ...[...others].map((name) => ({ name, description: "" }))]
    .map(({ name, description = "" }) => ({
      tag: name,
      description,
      calls: wanted.filter((call) => call.tags?.includes(name)),
    }))
    .filter((group) => group.calls.length > 0);
}

export interface Row {
  /** With the names of what it is in, `data[].id`. */
  name: string;
  type: string;
  isRequired: boolean;
  description: string;
  limits: string;
}

const DEPTH_MAX = 5;

export class SchemaReader {
  private readonly schemas: Readonly<Record<string, Schema>>;

  constructor(document: ApiDocument) {
    this.schemas = document.components?.schemas ?? {};
  }

  private resolved(schema: Schema): Schema {
    const name = schema.$ref?.split("/").at(-1);
    const found = name === undefined ? undefined : this.schemas[name];
    return found ? { ...found, ...(schema.description ? { description: schema.description } : {}) } : schema;
  }

  /** The one schema that is meant: null as another possibility says nothing more. */
  private main(schema: Schema): Schema {
    const own = this.resolved(schema);
    const choices = (own.anyOf ?? own.oneOf ?? []).map((one) => this.resolved(one)).filter((one) => one.type !== "null");
    if (choices.length === 0 || own.properties) return own;
    const objects = choices.filter((one) => one.properties);
    const merged = objects.length > 1 ? this.merged(objects) : (choices[0] ?? own);
    return { ...merged, ...(own.description ? { description: own.description } : {}) };
  }

  /** One of several objects: what it may have, and what it has in any case. */
  private merged(objects: readonly Schema[]): Schema {
    const required = objects.map((one) => one.required ?? []).reduce((a, b) => a.filter((name) => b.includes(name)));
    return { type: "object", properties: Object.assign({}, ...objects.map((one) => one.properties)), required };
  }

  /** The type in few words. */
  type(schema: Schema): string {
    const own = this.resolved(schema);
    if (own.const !== undefined) return JSON.stringify(own.const);
    const choices = own.anyOf ?? own.oneOf;
    if (choices && !own.properties) return [...new Set(choices.map((one) => this.type(one)))].join(" | ");
    if (own.enum) return own.enum.map((one) => JSON.stringify(one)).join(" | ");
    const types = typeof own.type === "string" ? [own.type] : (own.type ?? []);
    if (types[0] === "array" && own.items) return `${this.type(own.items)}[]`;
    return types.join(" | ") || (own.properties ? "object" : "any");
  }

  limits(schema: Schema): string {
    const own = this.main(schema);
    const parts: string[] = [];
    if (own.minimum !== undefined) parts.push(`≥ ${own.minimum}`);
    if (own.maximum !== undefined) parts.push(`≤ ${own.maximum}`);
    if (own.maxLength !== undefined) parts.push(`≤ ${own.maxLength} chars`);
    if (own.maxItems !== undefined) parts.push(`≤ ${own.maxItems} items`);
    const preset = schema.default ?? own.default;
    if (preset !== undefined && preset !== null) parts.push(`= ${JSON.stringify(preset)}`);
    return parts.join(", ");
  }

  /** The fields of an object, and of the objects in it. */
  rows(schema: Schema, prefix = "", depth = 0): Row[] {
    const own = this.main(schema);
    if (own.items) return this.rows(own.items, `${prefix}[]`, depth);
    if (depth >= DEPTH_MAX) return [];
    return Object.entries(own.properties ?? {}).flatMap(([key, property]) => {
      const name = prefix ? `${prefix}.${key}` : key;
      const row: Row = {
        name,
        type: this.type(property),
        isRequired: own.required?.includes(key) ?? false,
        description: property.description ?? this.main(property).description ?? "",
        limits: this.limits(property),
      };
      return [row, ...this.rows(property, name, depth + 1)];
    });
  }
}

/** The first example of each kind of content. */
export function exampleOf(media: Media | undefined): string | null {
  const value = Object.values(media?.examples ?? {})[0]?.value;
  if (value === undefined) return null;
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

/** The call as a program would make it; null where that would need files, or a session. */
export function requestOf(call: Call): CodeRequest | null {
  if (call.method !== "GET" && call.method !== "POST") return null;
  if (!call.security?.some((one) => "api_key" in one)) return null;
  const request = { method: call.method, path: call.path } as const;
  if (!call.requestBody) return request;
  const example = Object.values(call.requestBody.content?.["application/json"]?.examples ?? {})[0]?.value;
  return typeof example === "object" && example !== null ? { ...request, json: example as NonNullable<CodeRequest["json"]> } : null;
}
