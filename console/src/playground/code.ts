/** The same request for people who write programs: in curl, Python and JavaScript. */

export type Language = "curl" | "python" | "javascript";
export const LANGUAGES: readonly (readonly [Language, string])[] = [
  ["curl", "curl"],
  ["python", "Python"],
  ["javascript", "JavaScript"],
];

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** A request as it is told; files by their names. */
export interface CodeRequest {
  method: "GET" | "POST";
  path: string;
  json?: { readonly [name: string]: Json };
  form?: readonly (readonly [name: string, value: string, isFile: boolean])[];
  isStream?: boolean;
}

const DATA_SHOWN = 48;
/** The variable of the environment that programs take the key from. */
export const KEY = "YUANJING_API_KEY";

/** The program; `origin` is where the platform is. */
export function codeOf(request: CodeRequest, language: Language, origin: string): string {
  const writers = { curl: toCurl, python: toPython, javascript: toJavaScript };
  return writers[language]({ ...request, ...(request.json && { json: shortened(request.json) }) }, `${origin}${request.path}`);
}

/** Pictures would fill pages; what is left out is to be seen. */
function shortened<T extends Json>(value: T): T {
  const walk = (one: Json): Json => {
    if (typeof one === "string") return one.startsWith("data:") && one.length > 2 * DATA_SHOWN ? `${one.slice(0, DATA_SHOWN)}…` : one;
    if (Array.isArray(one)) return one.map(walk);
    if (one !== null && typeof one === "object") return Object.fromEntries(Object.entries(one).map(([k, v]) => [k, walk(v)]));
    return one;
  };
  return walk(value) as T;
}

const shell = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function toCurl(request: CodeRequest, url: string): string {
  const parts = [`curl ${request.isStream ? "-N " : ""}${shell(url)}`, `-H "Authorization: Bearer $${KEY}"`];
  if (request.json) parts.push(`-H "Content-Type: application/json"`, `-d ${shell(JSON.stringify(request.json, null, 2))}`);
  // curl reads `@` and `<` at the beginning of -F as files, so texts go by --form-string
  for (const [name, value, isFile] of request.form ?? [])
    parts.push(isFile ? `-F ${shell(`${name}=@"${value}"`)}` : `--form-string ${shell(`${name}=${value}`)}`);
  return parts.join(" \\\n  ");
}

/** A value of JSON as Python writes it. */
export function pythonValue(value: Json, indent = ""): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const inner = `${indent}    `;
  const items = Array.isArray(value)
    ? value.map((one: Json) => pythonValue(one, inner))
    : Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${pythonValue(one as Json, inner)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return items.length ? `${open}\n${items.map((one) => `${inner}${one},\n`).join("")}${indent}${close}` : `${open}${close}`;
}

function toPython(request: CodeRequest, url: string): string {
  const given = [`    ${JSON.stringify(url)},`, `    headers={"Authorization": f"Bearer {os.environ['${KEY}']}"},`];
  if (request.json) given.push(`    json=${pythonValue(request.json, "    ")},`);
  if (request.form) {
    const items = request.form.map(([name, value, isFile]) =>
      isFile
        ? `        (${JSON.stringify(name)}, open(${JSON.stringify(value)}, "rb")),`
        : `        (${JSON.stringify(name)}, (None, ${JSON.stringify(value)})),`,
    );
    given.push("    files=[", ...items, "    ],");
  }
  if (request.isStream) given.push("    stream=True,");
  const call = `answer = requests.${request.method.toLowerCase()}(\n${given.join("\n")}\n)\nanswer.raise_for_status()`;
  const rest = request.isStream
    ? `for line in answer.iter_lines():\n    if line.startswith(b"data: ") and line != b"data: [DONE]":\n        print(json.loads(line[6:]))`
    : "print(answer.json())";
  return `${request.isStream ? "import json\n" : ""}import os\n\nimport requests\n\n${call}\n${rest}`;
}

function toJavaScript(request: CodeRequest, url: string): string {
  const lines: string[] = [];
  const headers = [`Authorization: \`Bearer \${process.env.${KEY}}\``];
  if (request.form) {
    if (request.form.some(([, , isFile]) => isFile)) lines.push(`import { openAsBlob } from "node:fs";`, "");
    lines.push("const form = new FormData();");
    for (const [name, value, isFile] of request.form)
      lines.push(
        isFile
          ? `form.append(${JSON.stringify(name)}, await openAsBlob(${JSON.stringify(value)}), ${JSON.stringify(value)});`
          : `form.append(${JSON.stringify(name)}, ${JSON.stringify(value)});`,
      );
  }
  if (request.json) headers.push(`"Content-Type": "application/json"`);
  const body = request.json ? `JSON.stringify(${JSON.stringify(request.json, null, 2).replaceAll("\n", "\n  ")})` : request.form ? "form" : null;
  lines.push(
    `const answer = await fetch(${JSON.stringify(url)}, {`,
    `  method: "${request.method}",`,
    `  headers: { ${headers.join(", ")} },`,
    ...(body ? [`  body: ${body},`] : []),
    "});",
    "if (!answer.ok) throw new Error(await answer.text());",
  );
  lines.push(
    ...(request.isStream
      ? ["for await (const text of answer.body.pipeThrough(new TextDecoderStream())) process.stdout.write(text);"]
      : ["console.log(await answer.json());"]),
  );
  return lines.join("\n");
}
