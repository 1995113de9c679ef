/** Languages: the one that was chosen, else the browser's. Every string of the console is in `areas/`. */

import i18next from "i18next";
import { useCallback } from "react";
import { initReactI18next, useTranslation } from "react-i18next";
import type { Area } from "@/i18n/area";
import type { areas } from "@/i18n/areas";
import { firstAreas } from "@/i18n/areas/first";

export type Language = "zh" | "en";
type Areas = typeof areas;

const KEY = "yuanjing.language";

function firstLanguage(): Language {
  const kept = localStorage.getItem(KEY);
  if (kept === "zh" || kept === "en") return kept;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

type Named = Readonly<Record<string, Area>>;
type Resources = Record<string, Record<string, string>>;

function resources(named: Named, place: 0 | 1): Resources {
  return Object.fromEntries(
    Object.entries(named).map(([name, texts]) => [
      name,
      Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, text[place]])),
    ]),
  );
}

/** Set up before the first text is drawn. */
export async function startTexts(): Promise<void> {
  await i18next.use(initReactI18next).init({
    lng: firstLanguage(),
    fallbackLng: false,
    keySeparator: false,
    nsSeparator: false,
    interpolation: { escapeValue: false }, // React does
    resources: { zh: resources(firstAreas, 0), en: resources(firstAreas, 1) },
  });
  document.documentElement.lang = i18next.language;
}

/** Load the texts of all pages, which the first load leaves out; before the first of them is drawn. */
export async function loadTexts(): Promise<void> {
  const named: Named = (await import("@/i18n/areas")).areas;
  for (const [language, place] of [["zh", 0], ["en", 1]] as const)
    for (const [name, texts] of Object.entries(resources(named, place)))
      i18next.addResourceBundle(language, name, texts, false, true);
}

/** Change the language here and now; the profile keeps it for messages. */
export async function chooseLanguage(language: Language): Promise<void> {
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
