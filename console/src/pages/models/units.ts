import { useTexts } from "@/i18n";
import { count } from "@/lib/numbers";

const MILLION = 1_000_000;

/** What a rate is for: one second, a million tokens, or whatever else its price says. */
export function useUnit(): (meter: string, per: number) => string {
  const t = useTexts("models");
  return (meter, per) => {
    if (meter === "video_tokens") return per === MILLION ? t("video_tokens") : t("videoTokens", { per: count(per) });
    const unit = meter === "provider_credits" ? t("provider_credits") : t("video_seconds");
    return per === 1 ? unit : `${count(per)} ${unit}`;
  };
}
