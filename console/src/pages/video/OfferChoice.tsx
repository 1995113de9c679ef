import { useTexts } from "@/i18n";
import { roundedUp } from "@/lib/money";
import { useNames } from "@/pages/models/names";
import { exampleOf, OPERATIONS } from "@/pages/models/prices";
import type { Offer } from "@/playground/offers";
import { controlClass, Field } from "@/ui/Field";

interface OfferChoiceProps {
  offers: readonly Offer[];
  offer: Offer;
  onChoose: (llmid: string) => void;
}

/** All offers by what they do, each with its provider and about what it costs. */
export function OfferChoice({ offers, offer, onChoose }: OfferChoiceProps) {
  const t = useTexts("video");
  const names = useNames();
  const groups = OPERATIONS.map((operation) => [operation, offers.filter((one) => one.operation === operation)] as const);

  function price(one: Offer): string[] {
    const example = exampleOf(one);
    return example ? [t("about", { seconds: example.seconds, amount: roundedUp(example.amount) })] : [];
  }

  const usual = offer.video?.expected_seconds;
  const about = [names.provider(offer.provider), ...price(offer), ...(usual ? [t("usually", { minutes: Math.max(1, Math.round(usual / 60)) })] : [])];
  return (
    <Field label={t("offer")} hint={about.join(" · ")}>
      {(control) => (
        <select {...control} value={offer.llmid} onChange={(event) => onChoose(event.target.value)} className={controlClass}>
          {groups.map(([operation, found]) =>
            found.length === 0 ? null : (
              <optgroup key={operation} label={names.operation(operation)}>
                {found.map((one) => (
                  <option key={one.llmid} value={one.llmid}>
                    {[names.label(one.label), names.provider(one.provider), ...price(one)].join(" · ")}
                  </option>
                ))}
              </optgroup>
            ),
          )}
        </select>
      )}
    </Field>
  );
}
