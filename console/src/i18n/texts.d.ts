/** Areas in one language, which `texts.mjs` makes of `areas/`: all, but for those that the first page needs. */
declare module "virtual:texts/*" {
  const texts: Readonly<Record<string, Readonly<Record<string, string>>>>;
  export default texts;
}
/** Those. */
declare module "virtual:first/*" {
  const texts: Readonly<Record<string, Readonly<Record<string, string>>>>;
  export default texts;
}
