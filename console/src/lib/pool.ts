/** Values as JSON in which each long text stands once: a conversation's requests repeat all that was said before them. */

const LENGTH_MIN = 64;
const MARK = "\u0001"; // no text of people or models begins with it; one that does is pooled

/** The value as text; `change` may make texts shorter. */
export function pack(value: unknown, change: (text: string) => string = (text) => text): string {
  const places = new Map<string, number>();
  const place = (text: string): string => {
    const found = places.get(text) ?? places.size;
    places.set(text, found);
    return `${MARK}${found}`;
  };
  const body = JSON.stringify(value, (_, one: unknown) =>
    typeof one === "string" && (one.length >= LENGTH_MIN || one.startsWith(MARK)) ? place(change(one)) : one,
  );
  return JSON.stringify([[...places.keys()], body]);
}

/** What was packed; throws where it is something else. */
export function unpack(text: string): unknown {
  const [pool, body] = JSON.parse(text) as [readonly string[], string];
  return JSON.parse(body, (_, one: unknown) => {
    if (typeof one !== "string" || !one.startsWith(MARK)) return one;
    const found = pool[Number(one.slice(MARK.length))];
    if (found === undefined) throw new RangeError("not in the pool");
    return found;
  });
}
