/**
 * Texts stand in both languages side by side, and are sent in the one that is read, by parts: `virtual:texts` has a way to each
 * of them, by language and name. Most parts are one area; what the first page needs is one part, and what all others share is.
 */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const FOLDER = join(import.meta.dirname, "src", "i18n", "areas");
/** The parts of several areas; `src/i18n/parts.ts` names them for the compiler. */
const JOINT = { first: ["common", "home", "shell", "signIn"], shared: ["errors", "words"] };
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

/** The names of all parts. */
async function names() {
  const joint = Object.values(JOINT).flat();
  const areas = (await readdir(FOLDER)).map((file) => file.replace(".ts", ""));
  return [...Object.keys(JOINT), ...areas.filter((name) => !APART.has(name) && !joint.includes(name)).toSorted()];
}

/** A module that has a function for each part, which fetches it. */
async function ways() {
  const all = await names();
  const of = (language) => all.map((name) => `${name}: () => import("virtual:texts/${language}/${name}")`);
  return `export const parts = { ${LANGUAGES.map((language) => `${language}: { ${of(language).join(", ")} }`).join(", ")} };`;
}

export function texts() {
  return {
    name: "yuanjing-texts",
    resolveId: (id) => (/^virtual:texts(\/|$)/.test(id) ? `\0${id}` : undefined),
    async load(id) {
      if (id === "\0virtual:texts") return await ways();
      const [, language, part] = /^\0virtual:texts\/(zh|en)\/(\w+)$/.exec(id) ?? [];
      const place = LANGUAGES.indexOf(language);
      if (place < 0) return undefined;
      const areas = JOINT[part] ?? [part];
      for (const name of areas) this.addWatchFile(join(FOLDER, `${name}.ts`));
      const told = await Promise.all(
        areas.map(async (name) => [name, Object.fromEntries(Object.entries(await read(name)).map(([key, pair]) => [key, pair[place]]))]),
      );
      return `export default ${JSON.stringify(Object.fromEntries(told))};`;
    },
  };
}
