/** The areas of texts in one language each, by parts, which `texts.mjs` makes of `areas/`: a way to fetch each. */
declare module "virtual:texts" {
  type Texts = Readonly<Record<string, Readonly<Record<string, string>>>>;
  export const parts: Readonly<Record<"zh" | "en", Readonly<Record<string, () => Promise<{ default: Texts }>>>>>;
}
