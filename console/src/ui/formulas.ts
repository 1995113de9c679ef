/** Formulae in Markdown: it would eat their backslashes and take `_` and `*` for emphasis, so they are kept as written. */

const PUNCTUATION = /[!-/:-@[-`{-~]/g;
/** Code comes first, since nothing in it is a formula; then formulae between their marks, then a mark that stands alone. */
const PARTS =
  /(?:^|\n) {0,3}(`{3,}|~{3,})[^\n]*(?:\n[\s\S]*?)??(?:\n {0,3}\1[`~]*[ \t]*(?=\n|$)|$(?![\s\S]))|(?<!`)(`+)(?!`)[\s\S]*?[^`]\2(?!`)|\\\([\s\S]*?\\\)|\\\[[\s\S]*?\\\]|\$\$[\s\S]*?\$\$|\\[()[\]]/g;

const isCode = (part: string): boolean => /^\n? {0,3}[`~]/.test(part);

/** The text with its formulae written so that Markdown shows them as they are. */
export function keepFormulas(text: string): string {
  if (!/\\[([]|\$\$/.test(text)) return text;
  return text.replace(PARTS, (part) => (isCode(part) ? part : part.replace(PUNCTUATION, "\\$&")));
}
