/** All areas; a page has the one of its name. */

import { chat } from "@/i18n/areas/chat";
import { common } from "@/i18n/areas/common";
import { errors } from "@/i18n/areas/errors";
import { finance } from "@/i18n/areas/finance";
import { guide } from "@/i18n/areas/guide";
import { home } from "@/i18n/areas/home";
import { keys } from "@/i18n/areas/keys";
import { models } from "@/i18n/areas/models";
import { playground } from "@/i18n/areas/playground";
import { reference } from "@/i18n/areas/reference";
import { settings } from "@/i18n/areas/settings";
import { shell } from "@/i18n/areas/shell";
import { signIn } from "@/i18n/areas/signIn";
import { tasks } from "@/i18n/areas/tasks";
import { usage } from "@/i18n/areas/usage";
import { video } from "@/i18n/areas/video";
import { words } from "@/i18n/areas/words";

export const areas = { chat, common, errors, finance, guide, home, keys, models, playground, reference, settings, shell, signIn, tasks, usage, video, words } as const;
