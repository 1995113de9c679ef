/** The customer's API keys. */

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { api, call, type Schemas } from "@/api/client";
import { queries } from "@/api/queries";
import type { paths } from "@/api/schema";

export type Key = Schemas["KeyView"];
export type NewKey = Schemas["NewKeyView"];
export type KeyBody = NonNullable<paths["/api/keys"]["post"]["requestBody"]>["content"]["application/json"];
export type KeyPatch = NonNullable<paths["/api/keys/{key_id}"]["patch"]["requestBody"]>["content"]["application/json"];

const KEYS = "keys";
const PAGE = 200;
const NAMES_PAGES_MAX = 5;

const page = (after: string | null) => call(() => api.GET("/api/keys", { params: { query: { after, limit: PAGE } } }));

/** The keys, page by page, oldest first. */
export function useKeys() {
  return useInfiniteQuery({
    queryKey: [KEYS, "list"],
    queryFn: ({ pageParam }) => page(pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
  });
}

/** What the keys are called, by id, for lists and filters; the first thousand of them. */
export function useKeyNames() {
  return useQuery({
    queryKey: [KEYS, "names"],
    queryFn: async () => {
      const names = new Map<string, Pick<Key, "name" | "book">>();
      let after: string | null = null;
      for (let n = 0; n < NAMES_PAGES_MAX; n += 1) {
        const found: Schemas["KeyList"] = await page(after);
        for (const key of found.data) names.set(key.id, { name: key.name || `${key.prefix}…`, book: key.book });
        if (found.next === null) break;
        after = found.next;
      }
      return names;
    },
    staleTime: 60_000,
  });
}

/** Make a key; its text is in the answer only. */
export async function createKey(body: KeyBody): Promise<NewKey> {
  try {
    return await call(() => api.POST("/api/keys", { body }));
  } finally {
    forget(); // not waited for: a key is shown once, and at once
  }
}

export async function changeKey(id: string, body: KeyPatch): Promise<void> {
  await call(() => api.PATCH("/api/keys/{key_id}", { params: { path: { key_id: id } }, body }));
  forget();
}

export async function revokeKey(id: string, signal: AbortSignal): Promise<void> {
  try {
    await call(() => api.DELETE("/api/keys/{key_id}", { params: { path: { key_id: id } }, signal }));
  } finally {
    forget(); // also where no answer came: it may have been done
  }
}

function forget(): void {
  void queries.invalidateQueries({ queryKey: [KEYS] });
}
