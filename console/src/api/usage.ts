/** What was used, added up and one by one. */

import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { api, call, callDocument, type Schemas } from "@/api/client";
import { rangeFault } from "@/lib/days";

export type Usage = Schemas["UsageView"];
export type UsageDetails = Schemas["UsageDetails"];
export type Arithmetic = Schemas["ArithmeticView"];
export type DaySum = Schemas["DaySum"];
export type Operation = Schemas["Operation"];
export type Book = Schemas["Book"];

export const OPERATIONS: readonly Operation[] = ["chat", "text_to_video", "image_to_video", "reference_to_video"];
export const BOOKS: readonly Book[] = ["live", "test"];

/** Which records; null is any. */
export interface UsageFilter {
  book: Book;
  from: string;
  to: string;
  key: string | null;
  model: string | null;
  operation: Operation | null;
}

type Group = "day" | "key" | "model";
const FIRST_PAGE = 50;
const NEXT_PAGE = 200;

/** Sums over days, keys and models; days know no operation. */
export function useUsageDays(where: UsageFilter, group: readonly Group[]) {
  const { book, from, to, key, model } = where;
  const query = { book, from, to, key, model, group: group.join(",") };
  return useQuery({
    queryKey: ["usage", "days", query],
    staleTime: 0, // somebody looks here for what was charged just now
    queryFn: () => call(() => api.GET("/api/usage/days", { params: { query } })),
    placeholderData: keepPreviousData,
    enabled: rangeFault(from, to) === null,
  });
}

/** The records, newest first, page by page. */
export function useUsages(where: UsageFilter) {
  return useInfiniteQuery({
    queryKey: ["usage", "list", where],
    staleTime: 0,
    queryFn: ({ pageParam }) => {
      const query = { ...where, cursor: pageParam, limit: pageParam === null ? FIRST_PAGE : NEXT_PAGE };
      return callDocument(() => api.GET("/api/usage", { params: { query } }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
  });
}

/** One record with its arithmetic. */
export function useUsage(id: string) {
  return useQuery({
    queryKey: ["usage", "one", id],
    queryFn: () => call(() => api.GET("/api/usage/{usage_id}", { params: { path: { usage_id: id } } })),
    staleTime: Number.POSITIVE_INFINITY, // a record never changes
  });
}

/** All records as a file. */
export function csvAddress(where: UsageFilter): string {
  const query = new URLSearchParams({ format: "csv" });
  for (const [name, value] of Object.entries(where)) if (value) query.set(name, value);
  return `/api/usage?${query}`;
}
