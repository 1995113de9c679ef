import { describe, expect, test } from "vitest";
import { FIRST, SHARED } from "@/i18n/parts";

const sources: Readonly<Record<string, string>> = import.meta.glob("/src/**/*.{ts,tsx}", { query: "?raw", import: "default", eager: true });
const TEXTS = /(?:useTexts\(|getFixedT\(null, )"(\w+)"/g;
const IMPORTS = /^import (?!type )[^;]*?"@\/([^"]+)"|import\("@\/([^"]+)"\)/gm;

/** The text of a module of ours; none of what is no script. */
function read(module: string): string {
  const found = [".tsx", ".ts", "/index.ts"].map((end) => sources[`/src/${module}${end}`]).find((source) => source !== undefined);
  if (found === undefined && !module.includes(".")) throw new Error(`no module ${module}`);
  return found ?? "";
}

/** The areas that a module and all that it imports draw texts from. */
function areasOf(module: string, seen: Set<string> = new Set()): Set<string> {
  if (seen.has(module)) return new Set();
  seen.add(module);
  const source = read(module);
  const found = new Set(Array.from(source.matchAll(TEXTS), ([, name]) => name ?? ""));
  for (const [, one, other] of source.matchAll(IMPORTS)) for (const name of areasOf(one ?? other ?? "", seen)) found.add(name);
  return found;
}

const shared: readonly string[] = [...FIRST, ...SHARED];
const pages = [...read("router").matchAll(/page\("[^"]+", \(\) => import\("@\/(pages\/\w+)"\), (null|\[.*?\])\)/g)].map(
  ([, module, own]) => [module ?? "", JSON.parse(own ?? "") as string[] | null] as const,
);

describe("a page is sent with the texts that it needs", () => {
  test("there are pages", () => expect(pages.length).toBeGreaterThanOrEqual(19));

  test.each(pages)("%s", (module, own) => {
    const needed = [...areasOf(module)].filter((name) => !shared.includes(name));
    expect(needed.toSorted()).toEqual((own ?? []).toSorted());
  });

  test("the frame has none of its own", () => {
    const framed = ["shell/Shell", "shell/ErrorPage", "shell/EndedDialog", "shell/UserMenu"].flatMap((module) => [...areasOf(module)]);
    expect(framed.filter((name) => !shared.includes(name))).toEqual([]);
  });
});
