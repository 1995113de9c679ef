import { useState } from "react";
import { Link } from "react-router";
import { useTexts } from "@/i18n";
import { yuan } from "@/lib/money";
import { ago } from "@/lib/time";
import { Warnings } from "@/pages/video/Ceiling";
import { Progress } from "@/pages/video/Progress";
import { local } from "@/pages/video/reuse";
import { TaskCode } from "@/pages/video/TaskCode";
import { isUnderWay, useCancel, type Video } from "@/pages/video/useVideos";
import { paths } from "@/paths";
import type { Access } from "@/playground/key";
import { Button, buttonClass } from "@/ui/Button";
import { Badge } from "@/ui/Card";
import { Dialog } from "@/ui/Dialog";
import { Problem } from "@/ui/Problem";
import { taskWords } from "@/ui/problemWords";

const TONES = { queued: "plain", in_progress: "accent", completed: "good", failed: "bad" } as const;

interface TaskCardProps {
  access: Access;
  video: Video;
  warnings: readonly string[];
  onReuse: () => void;
}

/** Where a video stands; the video itself once it is made. */
export function TaskCard({ access, video, warnings, onReuse }: TaskCardProps) {
  const t = useTexts("video");
  const { ceiling, charge } = video.yuanjing;
  const money = isUnderWay(video) ? t("held", { amount: yuan(ceiling) }) : video.status === "failed" ? t("free") : t("charged", { amount: yuan(charge) });
  return (
    <article aria-label={video.prompt} data-status={video.status} className="flex min-w-0 flex-col gap-3 rounded-card border border-line bg-surface p-4">
      <Screen video={video} />
      <p className="line-clamp-2 text-sm break-words">{video.prompt}</p>
      {video.error && <p className="rounded-control bg-bad-soft px-3 py-2 text-sm text-bad">{taskWords(video.error)}</p>}
      <Warnings warnings={warnings} />
      <p className="flex flex-wrap items-center gap-x-3 gap-y-1 text-xs text-faint">
        <Badge tone={TONES[video.status]}>{t(video.status)}</Badge>
        <span>{video.model}</span>
        {video.size !== "auto" && <span>{video.size}</span>}
        {video.seconds !== "auto" && <span>{video.seconds} s</span>}
        <strong className="text-ink">{money}</strong>
        <time dateTime={new Date(video.created_at * 1000).toISOString()}>{ago(new Date(video.created_at * 1000).toISOString())}</time>
      </p>
      <div className="mt-auto -ml-2 flex flex-wrap">
        <Files video={video} />
        <Button tone="quiet" onClick={onReuse}>
          {t("reuse")}
        </Button>
        <Link to={paths.task(video.id)} className={buttonClass("quiet")}>
          {t("details")}
        </Link>
        <TaskCode video={video} />
        {isUnderWay(video) && <Cancel access={access} id={video.id} />}
      </div>
    </article>
  );
}

/** The player, or how far it is. */
function Screen({ video }: { video: Video }) {
  const t = useTexts("video");
  const { video_url: url, thumbnail_url: cover } = video.yuanjing;
  if (url)
    return (
      <video
        controls
        playsInline
        preload="metadata"
        src={local(url)}
        poster={cover ? local(cover) : undefined}
        aria-label={t("play", { prompt: video.prompt })}
        className="aspect-video w-full rounded-control bg-sunken object-contain"
      />
    );
  if (!isUnderWay(video))
    return video.status === "completed" ? (
      <p className="grid aspect-video place-items-center rounded-control bg-sunken text-sm text-muted">{t("gone")}</p>
    ) : null;
  return <Progress video={video} />;
}

function Files({ video }: { video: Video }) {
  const t = useTexts("video");
  const { video_url: url, thumbnail_url: cover } = video.yuanjing;
  return (
    <>
      {url && (
        <a href={`${local(url)}&download=1`} download className={buttonClass("quiet")}>
          {t("download")}
        </a>
      )}
      {cover && (
        <a href={local(cover)} target="_blank" rel="noreferrer" className={buttonClass("quiet")}>
          {t("cover")}
        </a>
      )}
    </>
  );
}

function Cancel({ access, id }: { access: Access; id: string }) {
  const t = useTexts("video");
  const [isOpen, setOpen] = useState(false);
  const cancel = useCancel(access);
  return (
    <>
      <Button tone="quiet" onClick={() => setOpen(true)}>
        {t("cancel")}
      </Button>
      <Dialog isOpen={isOpen} onClose={() => setOpen(false)} title={t("cancel")}>
        <p className="text-muted">{t("cancelHint")}</p>
        {cancel.isError && <Problem error={cancel.error} />}
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={() => setOpen(false)}>{t("keep")}</Button>
          <Button tone="danger" isBusy={cancel.isPending} onClick={() => cancel.mutate(id, { onSuccess: () => setOpen(false) })}>
            {t("cancel")}
          </Button>
        </div>
      </Dialog>
    </>
  );
}
