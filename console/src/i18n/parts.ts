/** In which parts texts are sent. */

import type { areas } from "@/i18n/areas";

type Area = keyof typeof areas & string;

/** What the frame and the first page need at once. */
export const FIRST = ["common", "home", "shell", "signIn"] as const satisfies readonly Area[];
/** What all other pages need. */
export const SHARED = ["errors", "words"] as const satisfies readonly Area[];

/** What a page names that needs it. */
export type OwnArea = Exclude<Area, (typeof FIRST)[number] | (typeof SHARED)[number]>;
