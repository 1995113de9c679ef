/** Money that was given, and codes for it. */

import { useInfiniteQuery } from "@tanstack/react-query";
import { api, call, type Schemas } from "@/api/client";
import { queries } from "@/api/queries";
import { forgetFinance } from "@/api/finance";

export type Promotion = Schemas["PromotionView"];
export type Redemption = Schemas["RedemptionView"];

const PROMOTIONS = "promotions";
const PAGE = 20;

/** What the customer was given, newest first. */
export function usePromotions() {
  return useInfiniteQuery({
    queryKey: [PROMOTIONS, "lots"],
    queryFn: ({ pageParam }) => call(() => api.GET("/api/promotions", { params: { query: { before: pageParam, limit: PAGE } } })),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
  });
}

/** The codes that the customer has redeemed, newest first. */
export function useRedemptions() {
  return useInfiniteQuery({
    queryKey: [PROMOTIONS, "codes"],
    queryFn: ({ pageParam }) => call(() => api.GET("/api/redemptions", { params: { query: { before: pageParam, limit: PAGE } } })),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
  });
}

/** Turn a code into promotion money. */
export async function redeem(code: string): Promise<Redemption> {
  const made = await call(() => api.POST("/api/redemptions", { body: { code } }));
  void queries.invalidateQueries({ queryKey: [PROMOTIONS] });
  void forgetFinance();
  return made;
}
