/** Why the API does not take a value, in Chinese. */

import { reasons } from "@/i18n/reasons";

const PART = /\{\{(\w+)\}\}/g;
const special = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

let patterns: readonly (readonly [RegExp, string])[] = [];

/** The API's words as patterns, whose groups are the parts that differ. */
function all(): readonly (readonly [RegExp, string])[] {
  if (patterns.length) return patterns;
  patterns = reasons().map(([zh, en]) => {
    const fixed = en.split(PART).map((text, place) => (place % 2 ? `(?<${text}>.+?)` : special(text)));
    return [new RegExp(`^${fixed.join("")}$`, "su"), zh] as const;
  });
  return patterns;
}

/** A reason of the API in Chinese, also what stands in it; null where it is none that is known. */
export function reasonInChinese(reason: string): string | null {
  for (const [pattern, zh] of all()) {
    const found = pattern.exec(reason);
    if (found) return zh.replaceAll(PART, (_, name: string) => inChinese(found.groups?.[name] ?? ""));
  }
  return null;
}

const inChinese = (part: string): string => reasonInChinese(part) ?? part;
