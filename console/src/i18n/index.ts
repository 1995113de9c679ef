/** Languages: the one that was chosen, else the browser's. Every string of the console is in `areas/`. */

import i18next from "i18next";
import { useCallback } from "react";
import { initReactI18next, useTranslation } from "react-i18next";
import type { areas } from "@/i18n/areas";
import { loadPart } from "@/shell/loading";

export type Language = "zh" | "en";
type Areas = typeof areas;

const KEY = "yuanjing.language";

function firstLanguage(): Language {
  const kept = localStorage.getItem(KEY);
  if (kept === "zh" || kept === "en") return kept;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

const FIRST = { zh: () => import("virtual:first/zh"), en: () => import("virtual:first/en") };
const REST = { zh: () => import("virtual:texts/zh"), en: () => import("virtual:texts/en") };
let isRestWanted = false;

let started: Promise<void> | null = null;

/** Set up before the first text is drawn; once, whoever asks. */
export function startTexts(): Promise<void> {
  return (started ??= start());
}

async function start(): Promise<void> {
  const language = firstLanguage();
  const { default: texts } = await FIRST[language]();
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

/** Load the texts of all pages in the language that is shown, which the first load leaves out; before the first of them is drawn. */
export async function loadTexts(): Promise<void> {
  isRestWanted = true;
  if (!i18next.isInitialized) void REST[firstLanguage()]().catch(() => undefined); // at once; what fails is told below
  await startTexts(); // pages are looked for before anything is drawn
  add(spoken(), await REST[spoken()]());
}

/** Load all texts in both languages, for who changes it. */
export async function loadOtherTexts(): Promise<void> {
  for (const language of ["zh", "en"] as const) await load(language);
}

async function load(language: Language): Promise<void> {
  for (const part of [FIRST, ...(isRestWanted ? [REST] : [])]) add(language, await part[language]());
}

function add(language: Language, { default: texts }: { default: Readonly<Record<string, object>> }): void {
  for (const [name, area] of Object.entries(texts)) i18next.addResourceBundle(language, name, area, false, true);
}

/** Change the language here and now; the profile keeps it for messages. */
export async function chooseLanguage(language: Language): Promise<void> {
  await loadPart(() => load(language));
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
