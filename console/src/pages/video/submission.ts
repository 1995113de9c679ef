/** The key of a submission: with the same one, the platform makes the same video, not another. */

const BYTES = 16;

let last: { content: string; key: string } | null = null;

/** The key of what is to be sent: the same until something else is to be sent, or this was accepted. */
export function keyOf(content: string): string {
  if (last?.content !== content) last = { content, key: freshKey() };
  return last.key;
}

/** The platform has made it; asking for the same again is asking for another. */
export function accepted(key: string): void {
  if (last?.key === key) last = null;
}

/** `randomUUID` is there on secure origins only. */
function freshKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(BYTES));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
