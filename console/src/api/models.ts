/** What is sold, which anybody may see. */

import { useQuery } from "@tanstack/react-query";
import { api, call, type Schemas } from "@/api/client";

export type Model = Schemas["SquareModel"];
export type ModelPrice = Schemas["ModelPrice"];
export type MediaLimits = Schemas["MediaLimits"];

const FRESH_MS = 300_000; // catalogues change by the day

/** All models that are sold now. */
export function useModels() {
  return useQuery({
    queryKey: ["models"],
    queryFn: async (): Promise<readonly Model[]> => (await call(() => api.GET("/api/models"))).data,
    staleTime: FRESH_MS,
  });
}

/** One of them, by its id. */
export function useModel(llmid: string) {
  return useQuery({
    queryKey: ["models", llmid],
    queryFn: () => call(() => api.GET("/api/models/{llmid}", { params: { path: { llmid } } })),
    staleTime: FRESH_MS,
  });
}
