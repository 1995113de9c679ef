/** Texts of one area of the console: each in Chinese and in English, side by side, so that none is missing. */

export type Text = readonly [zh: string, en: string];
export type Area = Readonly<Record<string, Text>>;

/** Keeps the names of the texts for the compiler. */
export function area<T extends Area>(texts: T): T {
  return texts;
}
