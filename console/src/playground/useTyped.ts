import { useState } from "react";
import { useSearchParams } from "react-router";
import type { Typed } from "@/playground/SchemaFields";

/** Other parts of the address. */
const RESERVED = new Set(["book", "model", "from"]);
const LENGTH_MAX = 1_000; // longer texts would make addresses that some programs cut off

/**
 * What was typed, at first what is `kept` of it, else that of the address; and a function that writes it there. That is for when a field is left: an
 * address that changes with every key would disturb who composes characters.
 */
export function useTyped(kept?: Typed): [Typed, (typed: Typed) => void, () => void] {
  const [search, setSearch] = useSearchParams();
  const [typed, setTyped] = useState<Typed>(() => kept ?? Object.fromEntries([...search].filter(([name]) => !RESERVED.has(name))));

  function keep(): void {
    const wanted = new URLSearchParams([...search].filter(([name]) => RESERVED.has(name)));
    for (const [name, text] of Object.entries(typed)) if (text.trim() && text.length <= LENGTH_MAX) wanted.append(name, text);
    if (wanted.toString() !== search.toString()) setSearch(wanted, { replace: true });
  }
  return [typed, setTyped, keep];
}
