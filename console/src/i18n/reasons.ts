/** The API's reasons in Chinese, which are fetched when they are first needed: few people see one, and it is not on the first page. */

import i18next from "i18next";

type Reasons = (typeof import("@/i18n/areas/reasons"))["reasons"];

let known: Reasons = [];

/** Those that were fetched. */
export const reasons = (): Reasons => known;

/** Fetch them, where they are of use. Without them it is told that a value is wrong, and the API's words beside it. */
export async function loadReasons(): Promise<void> {
  if (i18next.language !== "zh" || known.length) return;
  known = await import("@/i18n/areas/reasons").then(
    (found) => found.reasons,
    () => [], // no network, which the next request tells
  );
}
