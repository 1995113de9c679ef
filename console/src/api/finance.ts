/** Money of the customer: what it owns, what moved, and how it pays in. */

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { api, call, callDocument, type Schemas } from "@/api/client";
import { ApiError } from "@/api/errors";
import { queries } from "@/api/queries";

export type Balance = Schemas["BalanceView"];
export type Book = Schemas["Book"];
export type Account = Schemas["AccountKind"];
export type Entry = Schemas["EntryView"];
export type Month = Schemas["MonthView"];
export type Statement = Schemas["StatementView"];
export type Sum = Schemas["SumView"];

const FINANCE = "finance";
const PAGE = 50;

// What is shown of money is asked for again whenever a page of it is opened: `staleTime: 0` below.

/** What changes money makes all that was heard of it old. */
export async function forgetFinance(): Promise<void> {
  await queries.invalidateQueries({ queryKey: [FINANCE] });
}

/** What the customer owns, now. */
export function useBalance() {
  return useQuery({
    queryKey: [FINANCE, "balance"],
    queryFn: () => call(() => api.GET("/api/balance")),
    staleTime: 0,
    refetchInterval: 15_000,
  });
}

/** Fill the test book; how much that was. */
export async function refillTest(): Promise<string> {
  const { granted } = await call(() => api.POST("/api/balance/test-grant"));
  void forgetFinance();
  return granted;
}

/** The months of a book in which anything moved, newest first. */
export function useMonths(book: Book) {
  return useInfiniteQuery({
    queryKey: [FINANCE, "months", book],
    staleTime: 0,
    queryFn: ({ pageParam }) =>
      callDocument(() => api.GET("/api/statements", { params: { query: { book, before: pageParam, limit: PAGE } } })),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
  });
}

/** One month. */
export function useStatement(month: string, book: Book) {
  return useQuery({
    queryKey: [FINANCE, "statement", month, book],
    staleTime: 0,
    queryFn: () => callDocument(() => api.GET("/api/statements/{month}", { params: { path: { month }, query: { book } } })),
  });
}

/** What moved an account in a time, newest first. */
export function useEntries(book: Book, account: Account, from: string, to: string) {
  return useInfiniteQuery({
    queryKey: [FINANCE, "entries", book, account, from, to],
    staleTime: 0,
    queryFn: ({ pageParam }) =>
      callDocument(() =>
        api.GET("/api/entries", { params: { query: { book, account, from, to, before: pageParam, limit: PAGE } } }),
      ),
    initialPageParam: null as number | null,
    getNextPageParam: (last) => (last.next === null ? null : Number(last.next)), // the number of an entry
  });
}

/** Where a month can be had as a file. */
export function statementFile(month: string, book: Book): string {
  return `/api/statements/${encodeURIComponent(month)}?${new URLSearchParams({ book, format: "csv" }).toString()}`;
}

/** The data of an answer, or null where the platform does not have such a route. */
export async function ifThere<T>(request: () => Promise<T>): Promise<T | null> {
  try {
    return await request();
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}
