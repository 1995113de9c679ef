/** What is sold, as the playground needs it. */

import type { Model } from "@/api/models";
import type { Schema } from "@/playground/schema";

export type Offer = Model;

/** An offer by its llmid, its model or an alias, whichever fits first. */
export function offerNamed(offers: readonly Offer[], name: string): Offer | undefined {
  return (
    offers.find((one) => one.llmid === name) ??
    offers.find((one) => one.model === name) ??
    offers.find((one) => one.aliases.includes(name))
  );
}

/** The schema of an offer, with the hints that it has. */
export function schemaOf(offer: Offer): Schema {
  return offer.parameters as Schema;
}
