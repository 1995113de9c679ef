/**
 * Texts stand in both languages side by side, and are sent in the one that is read: `virtual:texts/zh` and `…/en`, and what
 * the first page needs of them as `virtual:first/zh` and `…/en`.
 */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const FOLDER = join(import.meta.dirname, "src", "i18n", "areas");
/** The areas that the shell and the pages before signing in need at once; all others come with the first other page. */
const FIRST = new Set(["common", "home", "shell", "signIn"]);
/** What is no area. */
const APART = new Set(["index", "reasons"]);
const LANGUAGES = ["zh", "en"];

/** One area; its file is an object in JavaScript but for the import of a function that changes nothing. */
async function read(name) {
  const source = await readFile(join(FOLDER, `${name}.ts`), "utf8");
  const plain = source.replace(/^import \{ area \} from .*$/m, "const area = (texts) => texts;");
  const found = await import(`data:text/javascript,${encodeURIComponent(plain)}`);
  if (!found[name]) throw new Error(`${name}.ts has no area of its name`);
  return found[name];
}

export function texts() {
  return {
    name: "yuanjing-texts",
    resolveId: (id) => (/^virtual:(texts|first)\//.test(id) ? `\0${id}` : undefined),
    async load(id) {
      const [, part, language] = /^\0virtual:(texts|first)\/(zh|en)$/.exec(id) ?? [];
      const place = LANGUAGES.indexOf(language);
      if (place < 0) return undefined;
      const files = (await readdir(FOLDER)).map((file) => file.replace(".ts", ""));
      const names = files.filter((name) => !APART.has(name) && FIRST.has(name) === (part === "first"));
      const areas = await Promise.all(names.toSorted().map(async (name) => [name, await read(name)]));
      for (const name of names) this.addWatchFile(join(FOLDER, `${name}.ts`));
      const told = areas.map(([name, all]) => [name, Object.fromEntries(Object.entries(all).map(([key, pair]) => [key, pair[place]]))]);
      return `export default ${JSON.stringify(Object.fromEntries(told))};`;
    },
  };
}
