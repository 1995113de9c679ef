import { useSearchParams } from "react-router";

/** What a list is filtered by, which is in the address: it can be shared, and is there after going back. */
export function useFilters() {
  const [query, setQuery] = useSearchParams();

  function change(values: Readonly<Record<string, string | null>>): void {
    const next = new URLSearchParams(window.location.search); // as it is by now: what was told a moment ago counts
    for (const [name, value] of Object.entries(values))
      if (value === null || value === "") next.delete(name);
      else next.set(name, value);
    setQuery(next, { replace: true, preventScrollReset: true });
  }

  return {
    get: (name: string): string | null => query.get(name),
    /** One of the words that are known; what else is in the address is as if it were not there. */
    pick: <Value extends string>(name: string, known: readonly Value[]): Value | null =>
      known.find((one) => one === query.get(name)) ?? null,
    change,
  };
}
