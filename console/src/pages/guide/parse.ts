/**
 * The guide's text: a little of Markdown, with both languages in one line, `中文 ‖ English`, so that neither lacks
 * anything. A line without `‖` is for both. ```` ```sh run ```` is an example that the tests run; ```` ```offers chat ````
 * stands for the table of what is sold. `{origin}` is the platform's address, `{chat}` a model of chat that it sells.
 */

export type Lines = "zh" | "en";

export interface CodeText {
  language: string;
  text: string;
}

export type Block =
  | { kind: "heading"; level: 1 | 2 | 3; text: string; id: string }
  | { kind: "text"; text: string }
  | { kind: "list"; isNumbered: boolean; items: readonly string[] }
  | { kind: "table"; head: readonly string[]; rows: readonly (readonly string[])[] }
  | { kind: "code"; parts: readonly CodeText[] }
  | { kind: "offers"; operation: string };

const BOTH = " ‖ ";
const HEADING = /^(#{1,3}) (.*?)(?: \{#([\w-]+)\})?$/;
const ITEM = /^(?:-|\d+\.) (.*)$/;
/** One call in several languages, which are shown in one place. */
const PROGRAMS = ["sh", "python", "javascript"];

/** The part of a line for one language. */
export function only(line: string, language: Lines): string {
  const [zh = "", en = zh] = line.split(BOTH);
  return (language === "zh" ? zh : en).trim();
}

/** The id of a heading that has none of its own. */
export function idOf(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
}

/** What the text leaves open. */
export interface Here {
  origin: string;
  chat: string;
}

export function parse(source: string, language: Lines, { origin, chat }: Here): Block[] {
  const lines = source.replaceAll("{origin}", origin).replaceAll("{chat}", chat).split("\n");
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; ) {
    const line = lines[at] ?? "";
    if (line.startsWith("```")) {
      const end = lines.indexOf("```", at + 1);
      addFence(blocks, line.slice(3), lines.slice(at + 1, end).join("\n"));
      at = end + 1;
    } else if (line.startsWith("|")) {
      const from = at;
      while (lines[at]?.startsWith("|")) at += 1;
      const [head = [], ...rows] = lines.slice(from, at).map((one) => cells(one, language));
      blocks.push({ kind: "table", head, rows });
    } else if (ITEM.test(line)) {
      const from = at;
      while (ITEM.test(lines[at] ?? "")) at += 1;
      const items = lines.slice(from, at).map((one) => only(ITEM.exec(one)?.[1] ?? "", language));
      blocks.push({ kind: "list", isNumbered: !line.startsWith("-"), items });
    } else {
      if (line) blocks.push(lineBlock(line, language));
      at += 1;
    }
  }
  return blocks;
}

function lineBlock(line: string, language: Lines): Block {
  const found = HEADING.exec(line);
  if (!found) return { kind: "text", text: only(line, language) };
  const [, marks = "", both = "", id] = found;
  const text = only(both, language);
  const level = marks.length === 1 ? 1 : marks.length === 2 ? 2 : 3;
  return { kind: "heading", level, text, id: id ?? idOf(both) };
}

function cells(line: string, language: Lines): string[] {
  return line.slice(1, -1).split("|").map((cell) => only(cell, language));
}

function addFence(blocks: Block[], info: string, text: string): void {
  const [language = "", more = ""] = info.split(" ");
  if (language === "offers") {
    blocks.push({ kind: "offers", operation: more });
    return;
  }
  const before = blocks.at(-1);
  const isProgram = PROGRAMS.includes(language);
  if (isProgram && before?.kind === "code" && before.parts.every((one) => PROGRAMS.includes(one.language) && one.language !== language))
    blocks[blocks.length - 1] = { kind: "code", parts: [...before.parts, { language, text }] };
  else blocks.push({ kind: "code", parts: [{ language, text }] });
}

export type Span = { kind: "plain" | "code" | "strong"; text: string } | { kind: "link"; text: string; to: string };

const SPAN = /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^)]+)\)/g;

/** Code, emphasis and links within a text. */
export function spans(text: string): Span[] {
  const found: Span[] = [];
  let at = 0;
  for (const match of text.matchAll(SPAN)) {
    if (match.index > at) found.push({ kind: "plain", text: text.slice(at, match.index) });
    const [whole, code, strong, label, to] = match;
    if (code !== undefined) found.push({ kind: "code", text: code });
    else if (strong !== undefined) found.push({ kind: "strong", text: strong });
    else found.push({ kind: "link", text: label ?? "", to: to ?? "" });
    at = match.index + whole.length;
  }
  if (at < text.length) found.push({ kind: "plain", text: text.slice(at) });
  return found;
}
