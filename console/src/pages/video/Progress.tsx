import { useTexts } from "@/i18n";
import { useSecondsSince } from "@/lib/clock";
import { isUnderWay, type Video } from "@/pages/video/useVideos";

const MINUTES_FROM = 90;

/** How far a video is, how long it has taken, and how long it still takes. */
export function Progress({ video }: { video: Video }) {
  const t = useTexts("video");
  const { seconds_left: left } = video.yuanjing;
  const passed = useSecondsSince(isUnderWay(video) ? video.created_at * 1000 : null);
  const isUnknown = left === null && video.progress === 0;

  function rest(): string {
    if (left === null) return isUnknown ? "" : t("longer");
    return left >= MINUTES_FROM ? t("leftMinutes", { minutes: Math.round(left / 60) }) : t("left", { seconds: left });
  }

  return (
    <div className="flex aspect-video flex-col justify-end gap-2 rounded-control bg-sunken p-4">
      <p className="flex flex-wrap justify-between gap-x-3 text-sm text-muted">
        <span role="status">{t(video.status)}</span>
        <span className="tabular-nums">{[rest(), t("passed", { seconds: passed })].filter(Boolean).join(" · ")}</span>
      </p>
      <progress aria-label={t("progress")} max={100} {...(isUnknown ? {} : { value: video.progress })} className="progress-bar" />
    </div>
  );
}
