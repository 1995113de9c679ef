/** Languages: the one that was chosen, else the browser's. Every string of the console is in `areas/`. */

import i18next from "i18next";
import { useCallback } from "react";
import { initReactI18next, useTranslation } from "react-i18next";
import { parts } from "virtual:texts";
import type { areas } from "@/i18n/areas";
import type { OwnArea } from "@/i18n/parts";
import { loadPart } from "@/shell/loading";

export type Language = "zh" | "en";
type Areas = typeof areas;

const KEY = "yuanjing.language";

function firstLanguage(): Language {
  const kept = localStorage.getItem(KEY);
  if (kept === "zh" || kept === "en") return kept;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** The parts that pages have needed so far. */
const wanted = new Set<string>(["first"]);

async function fetchPart(language: Language, name: string) {
  const load = parts[language][name];
  if (!load) throw new Error(`there is no part "${name}"`);
  return (await load()).default;
}

let started: Promise<void> | null = null;

/** Set up before the first text is drawn; once, whoever asks. */
export function startTexts(): Promise<void> {
  return (started ??= start());
}

async function start(): Promise<void> {
  const language = firstLanguage();
  const texts = await fetchPart(language, "first");
  await i18next.use(initReactI18next).init({
    lng: language,
    fallbackLng: false,
    keySeparator: false,
    nsSeparator: false,
    parseMissingKeyHandler: (key: string) => {
      console.error(`there is no text "${key}"`); // which tests fail for
      return key;
    },
    interpolation: { escapeValue: false }, // React does
    resources: { [language]: texts },
    partialBundledLanguages: true, // the rest comes later
  });
  document.documentElement.lang = language;
}

const spoken = (): Language => (i18next.language === "zh" ? "zh" : "en");

/** Load the texts of a page in the language that is shown, before it is drawn: what all pages share, and its own areas. */
export async function loadTexts(own: readonly OwnArea[]): Promise<void> {
  const names = ["shared", ...own];
  for (const name of names) wanted.add(name);
  if (!i18next.isInitialized) for (const name of names) void fetchPart(firstLanguage(), name).catch(() => undefined); // at once; what fails is told below
  await startTexts(); // pages are looked for before anything is drawn
  let language: Language;
  do {
    language = spoken();
    await load(language, names);
  } while (language !== spoken()); // another one was chosen meanwhile
}

/** Load all texts in both languages, for who goes on to other pages or changes the language. */
export async function loadOtherTexts(): Promise<void> {
  for (const language of ["zh", "en"] as const) await load(language, Object.keys(parts[language]));
}

async function load(language: Language, names: readonly string[]): Promise<void> {
  const found = await Promise.all(names.map((name) => fetchPart(language, name)));
  for (const [name, area] of found.flatMap((texts) => Object.entries(texts))) i18next.addResourceBundle(language, name, area, false, true);
}

/** Change the language here and now; the profile keeps it for messages. */
export async function chooseLanguage(language: Language): Promise<void> {
  let count: number;
  do {
    count = wanted.size;
    await loadPart(() => load(language, [...wanted]));
  } while (count !== wanted.size); // another page was opened meanwhile
  localStorage.setItem(KEY, language);
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
}

/** The texts of an area, checked by name: `const t = useTexts("signIn"); t("title")`. */
export function useTexts<Name extends keyof Areas & string>(name: Name) {
  const { t: untyped } = useTranslation(name);
  const t = untyped as unknown as (key: string, values: Record<string, string | number>) => string;
  return useCallback(
    (key: keyof Areas[Name] & string, values: Record<string, string | number> = {}): string => t(key, values),
    [t],
  );
}

/** The language that is shown. */
export function useLanguage(): Language {
  const { i18n } = useTranslation();
  return i18n.language === "zh" ? "zh" : "en";
}
