import { useState } from "react";
import { useSearchParams } from "react-router";
import { type Offer, schemaOf } from "@/playground/offers";
import { fieldsOf, kindOf } from "@/playground/schema";
import type { Typed } from "@/playground/SchemaFields";

/** Other parts of the address. */
const RESERVED = new Set(["book", "model", "from"]);
const SHORT = new Set(["choice", "number", "integer", "switch"]);

/** The fields that stand in the address: what is chosen and counted. Texts do not, as histories and proxies keep addresses. */
export function sharedFields(offers: readonly Offer[]): ReadonlySet<string> {
  const fields = offers.flatMap((one) => fieldsOf(schemaOf(one), {}));
  return new Set(fields.filter((one) => SHORT.has(kindOf(one) ?? "") && !RESERVED.has(one.name)).map((one) => one.name));
}

/**
 * What was typed, at first what is `kept` of it, else what the address has of the `shared` fields; and a function that
 * writes those there. That is for when a field is left: an address that changes with every key would disturb who composes
 * characters.
 */
export function useTyped(shared: ReadonlySet<string>, kept?: Typed): [Typed, (typed: Typed) => void, () => void] {
  const [search, setSearch] = useSearchParams();
  const [typed, setTyped] = useState<Typed>(() => kept ?? Object.fromEntries([...search].filter(([name]) => shared.has(name))));

  function keep(): void {
    const wanted = new URLSearchParams([...search].filter(([name]) => RESERVED.has(name)));
    for (const [name, text] of Object.entries(typed)) if (text.trim() && shared.has(name)) wanted.append(name, text);
    if (wanted.toString() !== search.toString()) setSearch(wanted, { replace: true });
  }
  return [typed, setTyped, keep];
}
