import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { Schemas } from "@/api/client";
import { forgetFinance } from "@/api/finance";
import { cancelTask } from "@/api/tasks";
import { formOf, type Draft, filesOf, quoteBody, valuesOf } from "@/pages/video/request";
import { askJson } from "@/playground/calls";
import type { Access } from "@/playground/key";
import type { Offer } from "@/playground/offers";
import type { Field } from "@/playground/schema";

export type Video = Schemas["Video"];

const SHOWN = 6;
const POLL_MS_MIN = 1_000;
const POLL_MS_MAX = 10_000;
const POLLS_OF_TIME_LEFT = 4;

export const isUnderWay = (video: Video): boolean => video.status === "queued" || video.status === "in_progress";

const listKey = (access: Access) => ["playground", "videos", access.book, access.customer] as const;

/** As often as the API itself would advise: more often the nearer the end is. */
function pollMs(videos: readonly Video[]): number | false {
  const left = videos.filter(isUnderWay).map((one) => ((one.yuanjing.seconds_left ?? 0) * 1000) / POLLS_OF_TIME_LEFT);
  return left.length ? Math.min(Math.max(Math.min(...left), POLL_MS_MIN), POLL_MS_MAX) : false;
}

/** The customer's latest videos in the book; asked again while one is under way. */
export function useVideos(access: Access) {
  return useQuery({
    queryKey: listKey(access),
    queryFn: async ({ signal }) =>
      (await askJson<Schemas["VideoList"]>(access, { method: "GET", path: `/v1/videos?limit=${SHOWN}`, signal })).data,
    refetchInterval: ({ state }) => pollMs(state.data ?? []),
  });
}

/** What the draft would cost at most; not asked before it is whole. */
export function useQuote(access: Access, offer: Offer, fields: readonly Field[], draft: Draft, isWhole: boolean) {
  const json = quoteBody(offer, fields, draft);
  return useQuery({
    queryKey: ["playground", "quote", access.book, access.customer, json],
    queryFn: ({ signal }) =>
      askJson<Schemas["VideoQuote"]>(access, { method: "POST", path: "/llmage/v1/video/quotes", json, signal }),
    enabled: isWhole,
    placeholderData: (before) => before,
  });
}

/** Ask for a video; the answer is the first of the list at once. */
export function useSubmit(access: Access) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ offer, fields, draft }: { offer: Offer; fields: readonly Field[]; draft: Draft }): Promise<Video> => {
      const values = valuesOf(offer, fields, draft);
      const files = filesOf(fields, draft);
      const body = files.length ? { form: formOf(values, files) } : { json: values };
      return askJson<Video>(access, { method: "POST", path: "/v1/videos", ...body });
    },
    onSuccess: (video) => {
      queries.setQueryData<Video[]>(listKey(access), (before = []) => [video, ...before].slice(0, SHOWN));
      void forgetFinance();
    },
  });
}

/** Ask for the end of one that is under way; never deletes one that has ended meanwhile, as `DELETE /v1/videos/…` does. */
export function useCancel(access: Access) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => cancelTask(id),
    onSettled: () => queries.invalidateQueries({ queryKey: listKey(access) }),
  });
}
