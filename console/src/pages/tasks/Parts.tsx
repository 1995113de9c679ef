import { Link } from "react-router";
import { fileOf, isFinal, type TaskDetails } from "@/api/tasks";
import { useKeyNames } from "@/api/keys";
import { useTexts } from "@/i18n";
import { useWords } from "@/i18n/words";
import { yuan } from "@/lib/money";
import { exactMoment, moment } from "@/lib/time";
import { bytes } from "@/lib/numbers";
import { Progress } from "@/pages/tasks/TaskState";
import { paths } from "@/paths";
import { buttonClass } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { Facts } from "@/ui/Facts";
import { taskWords } from "@/ui/problemWords";

interface PartProps {
  of: TaskDetails;
}

/** The same address with the wish to be saved. */
function asDownload(url: string): string {
  return `${url}${url.includes("?") ? "&" : "?"}download=1`;
}

/** The video, or what there is in its place. */
export function Player({ of: task }: PartProps) {
  const t = useTexts("tasks");
  const [video, cover] = [fileOf(task, "video"), fileOf(task, "cover")];
  if (!video?.url)
    return (
      <Card className="flex aspect-video flex-col items-center justify-center gap-4 text-center">
        {task.error ? <p className="text-bad">{taskWords(task.error)}</p> : <p className="text-muted">{isFinal(task) ? t("filesGone") : t("waiting")}</p>}
        <div className="w-full max-w-sm">
          <Progress of={task} />
        </div>
      </Card>
    );
  return (
    <Card className="overflow-hidden !p-0">
      {/* oxlint-disable-next-line jsx-a11y/media-has-caption -- what models make comes without captions */}
      <video
        src={video.url}
        {...(cover?.url && { poster: cover.url })}
        controls
        playsInline
        preload="metadata"
        aria-label={t("player")}
        className="max-h-[70dvh] w-full bg-black"
      />
      <div className="flex flex-wrap items-center gap-2 p-4">
        <a href={asDownload(video.url)} download className={buttonClass("primary")}>
          {t("download")} · {bytes(video.size_bytes)}
        </a>
        {cover?.url && (
          <a href={asDownload(cover.url)} download className={buttonClass()}>
            {t("downloadCover")}
          </a>
        )}
        <span className="text-sm text-muted">{t("filesUntil", { when: moment(video.expires_at) })}</span>
      </div>
    </Card>
  );
}

/** What was asked for. */
export function Parameters({ of: { parameters } }: PartProps) {
  const t = useTexts("tasks");
  const word = useWords();
  const yesNo = (value: boolean | null) => value !== null && t(value ? "yes" : "no");
  return (
    <Card className="min-w-0">
      <h2 className="mb-4">{t("parameters")}</h2>
      <p className="mb-1 text-sm text-muted">{t("prompt")}</p>
      <p className="mb-4 rounded-control bg-sunken px-3 py-2 text-sm break-words whitespace-pre-wrap">
        {parameters.prompt || <span className="text-faint">{t("forgotten")}</span>}
      </p>
      <Facts
        items={[
          [t("negativePrompt"), parameters.negative_prompt],
          [t("resolution"), parameters.resolution],
          [t("size"), parameters.size],
          [t("ratio"), parameters.ratio],
          [t("seconds"), parameters.seconds === null ? t("byModel") : t("secondsValue", { n: parameters.seconds })],
          [t("audio"), yesNo(parameters.audio)],
          [t("offPeak"), yesNo(parameters.off_peak)],
          [t("watermark"), yesNo(parameters.watermark)],
          [t("seed"), parameters.seed?.toString()],
          [t("files"), parameters.files.map((file) => word(file.role)).join(" · ")],
        ]}
      />
    </Card>
  );
}

/** What it may cost, and what it has. */
export function Money({ of: task }: PartProps) {
  const t = useTexts("tasks");
  return (
    <Card className="min-w-0">
      <h2 className="mb-4">{t("money")}</h2>
      <Facts
        items={[
          [t("charge"), isFinal(task) ? <strong key="charge">{yuan(task.charge)}</strong> : null],
          [isFinal(task) ? t("heldMost") : t("heldNow"), yuan(task.ceiling)],
          [t("priceVersion"), task.price && t("priceText", { version: task.price.version, from: moment(task.price.effective_from) })],
        ]}
      />
      {task.error && <p className="mt-4 text-sm text-muted">{t("notCharged")}</p>}
      {task.usage_id && (
        <Link to={paths.usageRecord(task.usage_id)} className="mt-4 inline-block text-sm text-accent-ink underline underline-offset-2">
          {t("record")}
        </Link>
      )}
    </Card>
  );
}

/** What happened when. */
export function History({ of: task }: PartProps) {
  const t = useTexts("tasks");
  const word = useWords();
  const steps = [
    [task.created_at, t("submitted")],
    [task.accepted_at, t("accepted")],
    [task.started_at, t("begun")],
    [task.ended_at, word(task.state)],
  ] as const;
  return (
    <Card className="min-w-0">
      <h2 className="mb-4">{t("history")}</h2>
      <ol className="flex flex-col gap-3 border-l border-line pl-4 text-sm">
        {steps.map(
          ([at, text]) =>
            at !== null && (
              <li key={text} className="relative before:absolute before:top-1.5 before:-left-[1.3rem] before:size-2 before:rounded-full before:bg-accent">
                <p>{text}</p>
                <time dateTime={at} className="text-xs text-muted">
                  {exactMoment(at)}
                </time>
              </li>
            ),
        )}
      </ol>
    </Card>
  );
}

/** Names by which it can be found again. */
export function Technical({ of: task }: PartProps) {
  const t = useTexts("tasks");
  const key = useKeyNames().data?.get(task.key_id);
  const video = fileOf(task, "video");
  return (
    <Card className="min-w-0">
      <h2 className="mb-4">{t("technical")}</h2>
      <Facts
        items={[
          [t("id"), <code key="id">{task.id}</code>],
          [t("key"), key?.name ?? task.key_id],
          [t("requestId"), <code key="request">{task.request_id}</code>],
          [
            t("hash"),
            video && (
              <code key="hash" className="text-xs break-all">
                {video.sha256}
              </code>
            ),
          ],
        ]}
      />
    </Card>
  );
}
