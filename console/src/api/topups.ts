/** Paying money in. */

import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { api, call, type Schemas } from "@/api/client";
import { forgetFinance, ifThere } from "@/api/finance";
import { queries } from "@/api/queries";
import { PRIVATE } from "@/lib/privacy";

export type Method = Schemas["MethodView"];
export type Way = Method["ways"][number];
export type TopUp = Schemas["TopUpView"];
export type Payment = Schemas["PaymentView"];

const TOPUPS = "topups";
const ASK_MS = 3_000;
const PAYMENT_KEY = `${PRIVATE}payment.`;

/** How one can pay; none where no payment method is set up. */
export function useMethods() {
  return useQuery({
    queryKey: [TOPUPS, "methods"],
    queryFn: async (): Promise<readonly Method[]> =>
      (await ifThere(() => call(() => api.GET("/api/topups/methods"))))?.data ?? [],
    staleTime: 60_000,
  });
}

/** The orders, newest first. */
export function useTopUps() {
  return useInfiniteQuery({
    queryKey: [TOPUPS, "list"],
    queryFn: async ({ pageParam }): Promise<Schemas["TopUpList"]> => {
      const found = await ifThere(() => call(() => api.GET("/api/topups", { params: { query: { before: pageParam } } })));
      return found ?? { object: "list", data: [], next: null };
    },
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
  });
}

export const isOpen = (topup: TopUp): boolean => topup.state === "created" || topup.state === "paid";

/** One order; asked for again every few seconds while it is open, also when nobody has pressed anything. */
export function useTopUp(id: string) {
  return useQuery({
    queryKey: [TOPUPS, "one", id],
    queryFn: async () => {
      const found = await call(() => api.GET("/api/topups/{topup_id}", { params: { path: { topup_id: id } } }));
      if (!isOpen(found)) settled(id);
      return found;
    },
    staleTime: 0,
    refetchInterval: (query) => (query.state.data && isOpen(query.state.data) ? ASK_MS : false),
  });
}

/** Order a top-up. How to pay it is told once, so it is kept until the order has ended. */
export async function orderTopUp(method: string, way: Way, amount: string): Promise<{ id: string; payment: Payment }> {
  const { id, payment } = await call(() => api.POST("/api/topups", { body: { method, way, amount } }));
  sessionStorage.setItem(PAYMENT_KEY + id, JSON.stringify(payment));
  void queries.invalidateQueries({ queryKey: [TOPUPS, "list"] });
  return { id, payment };
}

/** How an order of this browser can be paid; null if it is not known here. */
export function paymentOf(id: string): Payment | null {
  const kept = sessionStorage.getItem(PAYMENT_KEY + id);
  return kept === null ? null : (JSON.parse(kept) as Payment);
}

/** End an order that will not be paid. */
export async function closeTopUp(id: string, signal: AbortSignal): Promise<void> {
  const found = await call(() => api.POST("/api/topups/{topup_id}/close", { params: { path: { topup_id: id } }, signal }));
  queries.setQueryData([TOPUPS, "one", id], found);
  settled(id);
}

function settled(id: string): void {
  sessionStorage.removeItem(PAYMENT_KEY + id);
  void queries.invalidateQueries({ queryKey: [TOPUPS, "list"] });
  void forgetFinance();
}
