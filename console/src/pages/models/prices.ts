/** Prices in few words, and what is chosen from the list of models. */

import type { Model, ModelPrice } from "@/api/models";
import { nanos } from "@/lib/money";

export const OPERATIONS = ["chat", "text_to_video", "image_to_video", "reference_to_video"] as const;
export type Operation = (typeof OPERATIONS)[number];

/** What a card says of a price: the lowest rates, and whether there are higher ones. */
export interface PriceInBrief {
  input?: string;
  output?: string;
  rate?: string;
  /** Of videos: what the rate counts, and how many of it. */
  meter?: string;
  per?: number;
  isFrom: boolean;
}

function lowest(amounts: readonly string[]): string | undefined {
  return amounts.reduce<string | undefined>(
    (found, one) => (found === undefined || nanos(one) < nanos(found) ? one : found),
    undefined,
  );
}

export function inBrief(price: ModelPrice): PriceInBrief {
  const input = lowest(price.tiers.map((tier) => tier.input));
  const output = lowest(price.tiers.map((tier) => tier.output));
  if (input !== undefined && output !== undefined) return { input, output, isFrom: price.tiers.length > 1 };
  const rate = lowest(price.rates.map((one) => one.rate));
  const first = price.rates[0];
  if (rate === undefined || first === undefined) return { isFrom: false };
  return { rate, meter: first.meter, per: first.per, isFrom: price.rates.length > 1 };
}

type Example = NonNullable<Model["video"]>["examples"][number];

const USUAL_TIER = "720p";

/** The video by which offers are compared: of the usual size where it is made, else the cheapest. */
export function exampleOf(model: Model): Example | undefined {
  const examples = model.video?.examples ?? [];
  return examples.find((one) => one.resolution === USUAL_TIER) ?? examples[0];
}

/** What models are sorted by: of chat both rates together, of videos the example; those without a price come last. */
function costOf(model: Model): bigint | null {
  const { input, output } = inBrief(model.price);
  if (input !== undefined && output !== undefined) return nanos(input) + nanos(output);
  const example = exampleOf(model);
  return example === undefined ? null : nanos(example.amount);
}

/** The cheaper one first. */
export function byCost(a: Model, b: Model): number {
  const [one, other] = [costOf(a), costOf(b)];
  if (one === null || other === null) return Number(one === null) - Number(other === null);
  return one < other ? -1 : Number(one > other);
}

export interface Wanted {
  text: string;
  operation: string | null;
  provider: string | null;
  capability: string | null;
}

/** Whether a model can do an operation, be it one that it is not listed under. */
export function isFor(model: Model, operation: string): boolean {
  return model.operation === operation || model.capabilities.includes(operation);
}

function textOf(model: Model): string {
  const names = [model.model, model.label, model.provider, model.llmid, ...model.aliases, ...(model.video?.models ?? [])];
  return [...names, model.description, model.description_zh].join("\n").toLowerCase();
}

/** Every word of the text must be somewhere in it. */
export function isWanted(model: Model, { text, operation, provider, capability }: Wanted): boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return (
    (operation === null || isFor(model, operation)) &&
    (provider === null || model.provider === provider) &&
    (capability === null || model.capabilities.includes(capability)) &&
    words.every((word) => textOf(model).includes(word))
  );
}

const RANK = (model: Model): number => OPERATIONS.findIndex((one) => one === model.operation);

const isVideo = (model: Model): number => Number(model.operation !== "chat");

/** By operation, then as people read names; or chat and then videos, each by price. */
export function inOrder(models: readonly Model[], order: "name" | "price" = "name"): Model[] {
  const byName = (a: Model, b: Model): number => RANK(a) - RANK(b) || a.label.localeCompare(b.label);
  return models.toSorted((a, b) => (order === "price" ? isVideo(a) - isVideo(b) || byCost(a, b) : 0) || byName(a, b));
}

/** What can be chosen, each once. */
export function choices(models: readonly Model[], of: (model: Model) => readonly string[]): string[] {
  return [...new Set(models.flatMap(of))].toSorted((a, b) => a.localeCompare(b));
}
