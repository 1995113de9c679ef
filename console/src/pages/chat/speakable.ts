/** Markdown as it is to be heard: without the marks, and not without end. */

const LENGTH_MAX = 2_000;

/** The words of a text; what is left out of a long one is told by its dots. */
export function speakable(markdown: string): string {
  const words = markdown
    .replace(/^\s*(```|~~~).*$/gm, " ")
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/^\s*\|?[\s:|-]+\|[\s:|-]*$/gm, " ")
    .replace(/^\s*(#{1,6}|>|[-*+])\s+/gm, "")
    .replace(/[*_`~|]+/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  return words.length > LENGTH_MAX ? `${words.slice(0, LENGTH_MAX)}…` : words;
}
