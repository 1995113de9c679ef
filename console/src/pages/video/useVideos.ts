import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import type { Schemas } from "@/api/client";
import { ApiError, OfflineError } from "@/api/errors";
import { forgetFinance } from "@/api/finance";
import { cancelTask } from "@/api/tasks";
import { formOf, type Draft, filesOf, quoteBody, valuesOf } from "@/pages/video/request";
import { accepted, keyOf } from "@/pages/video/submission";
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
  const videos = useQuery({
    queryKey: listKey(access),
    queryFn: async ({ signal }) =>
      (await askJson<Schemas["VideoList"]>(access, { method: "GET", path: `/v1/videos?limit=${SHOWN}`, signal })).data,
    refetchInterval: ({ state }) => pollMs(state.data ?? []),
  });
  const underWay = videos.data?.filter(isUnderWay).length ?? 0;
  useEffect(() => void forgetFinance(), [underWay]); // one that ends gives back what it has not used
  return videos;
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

const CONFLICT = 409;
const TRIES_WHILE_RUNNING = 5;

/** The same request is being worked on, because its answer was lost on the way; soon there is one. */
const isRunning = (error: unknown): boolean => error instanceof ApiError && error.status === CONFLICT;

interface Submission {
  offer: Offer;
  fields: readonly Field[];
  draft: Draft;
}

/** What makes it this request: whoever asks, the values, and the files, each of which has an address of its own. */
function contentOf(access: Access, { offer, fields, draft }: Submission): string {
  const files = fields.map(({ name }) => (draft.uploads[name] ?? []).map(({ url }) => [name, url]));
  return JSON.stringify([access, valuesOf(offer, fields, draft), files]);
}

/** Ask for a video, once however often it is asked; the answer is the first of the list at once. */
export function useSubmit(access: Access) {
  const queries = useQueryClient();
  const queryKey = listKey(access);
  return useMutation({
    mutationFn: async (asked: Submission): Promise<Video> => {
      const idempotencyKey = keyOf(contentOf(access, asked));
      const values = valuesOf(asked.offer, asked.fields, asked.draft);
      const files = filesOf(asked.fields, asked.draft);
      const body = files.length ? { form: formOf(values, files) } : { json: values };
      const video = await askJson<Video>(access, { method: "POST", path: "/v1/videos", idempotencyKey, ...body });
      accepted(idempotencyKey);
      return video;
    },
    retry: (failures, error) => isRunning(error) && failures < TRIES_WHILE_RUNNING,
    retryDelay: (_, error) => ((error instanceof ApiError ? error.retryAfter : null) ?? 1) * 1000,
    onSuccess: async (video) => {
      await queries.cancelQueries({ queryKey }); // a list that is on its way may not have it yet
      const before = queries.getQueryData<Video[]>(queryKey);
      queries.setQueryData<Video[]>(queryKey, [video, ...(before ?? []).filter((one) => one.id !== video.id)].slice(0, SHOWN));
      if (before === undefined) void queries.invalidateQueries({ queryKey });
      void forgetFinance();
    },
    onError: async (error) => {
      if (!(error instanceof OfflineError)) return;
      await queries.cancelQueries({ queryKey }); // likewise: it may have been made
      void queries.invalidateQueries({ queryKey });
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
