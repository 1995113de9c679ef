import { useLanguage, useTexts } from "@/i18n";
import { OPERATIONS } from "@/pages/models/prices";

const PROVIDERS = ["Alibaba Cloud", "Doubao", "Moonshot AI", "Tongyi Wanxiang", "vidu"] as const;
const CAPABILITIES = [
  "stream",
  "tools",
  "json_object",
  "json_schema",
  "logprobs",
  "images",
  "reasoning",
  "cache",
  "text_to_video",
  "image_to_video",
  "reference_to_video",
] as const;
/** What labels of the catalogue may have after a comma. */
const VARIANTS = ["first frame", "first and last frame", "references", "pictures"] as const;
const ROLES = ["first_frame", "last_frame", "reference_image", "reference_video", "reference_audio"] as const;

/** Names of the catalogue in the language that is shown; one that nobody has translated stays as it is. */
export function useNames() {
  const t = useTexts("models");
  const words = useTexts("words");
  const language = useLanguage();

  function named<Known extends string>(known: readonly Known[], say: (name: Known) => string): (name: string) => string {
    return (name) => {
      const found = known.find((one) => one === name);
      return found === undefined ? name : say(found);
    };
  }

  const variant = named(VARIANTS, t);

  /** `Seedance 2.0, first frame`, or `Seedance 2.0（首帧）`. */
  function label(text: string): string {
    const at = text.indexOf(", ");
    return language === "en" || at < 0 ? text : `${text.slice(0, at)}（${variant(text.slice(at + 2))}）`;
  }

  return {
    label,
    provider: named(PROVIDERS, t),
    capability: named(CAPABILITIES, t),
    operation: named(OPERATIONS, words),
    role: named(ROLES, words),
  };
}
