/** What is being typed about oneself, over what is kept: only what was touched is sent, and what is not follows what is kept. */

import type { Profile, ProfilePatch } from "@/api/account";
import { parseYuan } from "@/lib/money";

export interface ProfileDraft {
  name: string;
  /** Empty where none was chosen. */
  language: string;
  lowBalance: string;
}

export type Edits = Partial<ProfileDraft>;

/** The profile as it would have been typed. */
export function draftOf(profile: Pick<Profile, "name" | "language" | "low_balance">): ProfileDraft {
  return { name: profile.name, language: profile.language ?? "", lowBalance: profile.low_balance ?? "" };
}

/** The edits that are any: what is typed back to what is kept is none. */
export function realEdits(kept: ProfileDraft, edits: Edits): Edits {
  return Object.fromEntries(Object.entries(edits).filter(([name, value]) => value !== kept[name as keyof ProfileDraft]));
}

/** Whether the amount of an edit is none. */
export function isWrongAmount({ lowBalance }: Edits): boolean {
  return lowBalance !== undefined && lowBalance.trim() !== "" && parseYuan(lowBalance) === null;
}

/** The request that the edits make. */
export function patchOf({ name, language, lowBalance }: Edits): ProfilePatch {
  const patch: ProfilePatch = {};
  if (name !== undefined) patch.name = name;
  if (language !== undefined) patch.language = isLanguage(language) ? language : null;
  if (lowBalance !== undefined) patch.low_balance = lowBalance.trim() ? parseYuan(lowBalance) : null;
  return patch;
}

export function isLanguage(text: string | undefined): text is "zh" | "en" {
  return text === "zh" || text === "en";
}
