/** What belongs to the customer in this tab, and must not stay there once the customer has signed out. */

/** Names in the tab's storage that begin with this are forgotten with all the rest. */
export const PRIVATE = "yuanjing.private.";

const listeners = new Set<() => void>();

/** Be told when all that belongs to the customer is to go, before its storage is emptied. */
export function onForget(listener: () => void): void {
  listeners.add(listener);
}

/** The customer has left. */
export function forgetPrivate(): void {
  for (const listener of listeners) listener();
  forgetPrivateStorage();
}

/** The customer has left in another tab: nothing stays stored, while what a page holds waits for the same one. */
export function forgetPrivateStorage(): void {
  forgetStored(sessionStorage, PRIVATE);
}

/** Remove what is stored under names with this beginning, but for one of them. */
export function forgetStored(storage: Storage, prefix: string, but: string | null = null): void {
  const names = Array.from({ length: storage.length }, (_, at) => storage.key(at) ?? "");
  for (const name of names) if (name.startsWith(prefix) && name !== but) storage.removeItem(name);
}
