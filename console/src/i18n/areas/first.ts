/** The areas that the shell and the pages before signing in need at once; all others come with the first other page. */

import { common } from "@/i18n/areas/common";
import { home } from "@/i18n/areas/home";
import { shell } from "@/i18n/areas/shell";
import { signIn } from "@/i18n/areas/signIn";

export const firstAreas = { common, home, shell, signIn } as const;
