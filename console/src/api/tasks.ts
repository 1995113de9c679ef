/** The customer's video tasks. */

import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { api, call, type Schemas } from "@/api/client";
import { queries } from "@/api/queries";
import { rangeFault } from "@/lib/days";

export type Task = Schemas["TaskView"];
export type TaskDetails = Schemas["TaskDetails"];
export type TaskState = Task["state"];
export type Artifact = Task["artifacts"][number];

export const STATES: readonly TaskState[] = ["queued", "running", "succeeded", "failed", "canceled", "expired"];

/** Which tasks; null is any. */
export interface TaskFilter {
  state: TaskState | null;
  key: string | null;
  model: string | null;
  operation: Schemas["Operation"] | null;
  book: Schemas["Book"] | null;
  from: string | null;
  to: string | null;
}

const TASKS = "tasks";
const FIRST_PAGE = 48;
const NEXT_PAGE = 200;
const POLL_MS = 2_500;
const POLL_SOON_MS = 700; // somebody has asked for the end, and looks

/** Whether nothing comes any more. */
export const isFinal = (task: Pick<Task, "state">): boolean => task.state !== "queued" && task.state !== "running";

/** A file of a task, while it is kept. */
export function fileOf(task: Pick<Task, "artifacts">, kind: "video" | "cover"): Artifact | undefined {
  return task.artifacts.find((one) => one.kind === kind);
}

/** The tasks, newest first, page by page; asked again while one is under way. */
export function useTasks(where: TaskFilter) {
  return useInfiniteQuery({
    queryKey: [TASKS, "list", where],
    queryFn: ({ pageParam }) => {
      const query = { ...where, cursor: pageParam, limit: pageParam === null ? FIRST_PAGE : NEXT_PAGE };
      return call(() => api.GET("/api/tasks", { params: { query } }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
    placeholderData: keepPreviousData,
    enabled: rangeFault(where.from, where.to) === null,
    // All pages are asked again at once, which is worth it while they are few; what is under way is on the first.
    refetchInterval: (query) =>
      query.state.data?.pages.length === 1 && query.state.data.pages[0]?.data.some((one) => !isFinal(one)) ? POLL_MS : false,
  });
}

/** When a task is asked for again. */
function pollOf(task: Pick<Task, "state" | "is_cancel_requested"> | undefined): number | false {
  if (!task || isFinal(task)) return false;
  return task.is_cancel_requested ? POLL_SOON_MS : POLL_MS;
}

/** One task; asked again until it has ended. */
export function useTask(id: string) {
  return useQuery({
    queryKey: [TASKS, "one", id],
    queryFn: () => call(() => api.GET("/api/tasks/{task_id}", { params: { path: { task_id: id } } })),
    refetchInterval: (query) => pollOf(query.state.data),
  });
}

/** Delete a task that has ended. */
export async function deleteTask(id: string, signal: AbortSignal): Promise<void> {
  try {
    await call(() => api.DELETE("/api/tasks/{task_id}", { params: { path: { task_id: id } }, signal }));
    // Asked for when it is opened again, and not by the page that is just being left.
    void queries.invalidateQueries({ queryKey: [TASKS, "one", id], refetchType: "none" });
  } finally {
    void queries.invalidateQueries({ queryKey: [TASKS, "list"] });
  }
}

/** Ask for the end of a task; refused with `task_ended` once it has ended. */
export async function cancelTask(id: string, signal?: AbortSignal): Promise<void> {
  try {
    await call(() => api.POST("/api/tasks/{task_id}/cancel", { params: { path: { task_id: id } }, signal: signal ?? null }));
  } finally {
    void queries.invalidateQueries({ queryKey: [TASKS] });
  }
}
