import type { TopUp } from "@/api/topups";
import { useTexts } from "@/i18n";
import { Badge } from "@/ui/Card";

/** What a payment method is called; one that is not known here is called as the API does. */
export function useMethodName(): (name: string) => string {
  const t = useTexts("finance");
  return (name) => (name === "alipay" || name === "manual" ? t(name) : name);
}

const TONES = { created: "warn", paid: "accent", credited: "good", closed: "plain" } as const;

/** How an order stands. */
export function StateBadge({ state }: { state: TopUp["state"] }) {
  const t = useTexts("finance");
  return <Badge tone={TONES[state]}>{t(state)}</Badge>;
}
