import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, call } from "@/api/client";
import { useModels } from "@/api/models";
import { useTexts } from "@/i18n";
import { codeOfTask } from "@/pages/video/reuse";
import type { Video } from "@/pages/video/useVideos";
import type { CodeRequest } from "@/playground/code";
import { CodeTabs } from "@/playground/CodeDialog";
import { Button } from "@/ui/Button";
import { Skeleton } from "@/ui/Card";
import { Dialog } from "@/ui/Dialog";
import { Problem } from "@/ui/Problem";

/** The request that made a video, and the one that asks how it stands, as programs. */
export function TaskCode({ video }: { video: Video }) {
  const t = useTexts("playground");
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button tone="quiet" onClick={() => setOpen(true)}>
        {t("code")}
      </Button>
      <Dialog isOpen={isOpen} onClose={() => setOpen(false)} title={t("code")} isWide>
        <Requests video={video} />
      </Dialog>
    </>
  );
}

function Requests({ video: { id, yuanjing } }: { video: Video }) {
  const models = useModels();
  const task = useQuery({
    queryKey: ["tasks", id, "asked"],
    queryFn: async ({ signal }) =>
      (await call(() => api.GET("/api/tasks/{task_id}", { params: { path: { task_id: id } }, signal }))).parameters,
    staleTime: Infinity,
  });
  if (task.isError) return <Problem error={task.error} onRetry={() => void task.refetch()} />;
  if (models.isError) return <Problem error={models.error} onRetry={() => void models.refetch()} />;
  if (!task.data || !models.data) return <Skeleton className="h-64 w-full" />;
  const offer = models.data.find((one) => one.llmid === yuanjing.requested_llmid);
  const look: CodeRequest = { method: "GET", path: `/v1/videos/${id}` };
  return <CodeTabs requests={offer ? [codeOfTask(offer, task.data), look] : [look]} />;
}
