import { Link } from "react-router";
import { fileOf, isFinal, type Task } from "@/api/tasks";
import { useTexts } from "@/i18n";
import { useWords } from "@/i18n/words";
import { yuan } from "@/lib/money";
import { ago } from "@/lib/time";
import { Progress, StateBadge } from "@/pages/tasks/TaskState";
import { paths } from "@/paths";
import { Badge } from "@/ui/Card";
import { taskWords } from "@/ui/problemWords";

/** Tasks as pictures. The browser leaves out the drawing of those that are far away. */
export function Gallery({ rows }: { rows: readonly Task[] }) {
  const t = useTexts("tasks");
  return (
    <ul aria-label={t("gallery")} className="grid grid-cols-[repeat(auto-fill,minmax(min(100%,16rem),1fr))] gap-4">
      {rows.map((task) => (
        <li key={task.id} className="[contain-intrinsic-size:auto_16rem] [content-visibility:auto]">
          <TaskCard of={task} />
        </li>
      ))}
    </ul>
  );
}

function TaskCard({ of: task }: { of: Task }) {
  const word = useWords();
  return (
    <Link
      to={paths.task(task.id)}
      className="group flex h-full flex-col overflow-hidden rounded-card border border-line bg-surface transition-[border-color,box-shadow] hover:border-line-strong/60 hover:shadow-raised"
    >
      <div className="relative aspect-video overflow-hidden bg-linear-to-br from-sunken to-accent-soft">
        <Cover of={task} />
        <span className="absolute top-2 left-2 flex gap-1 *:shadow-sm *:ring-1 *:ring-line">
          <StateBadge of={task} />
          {task.book === "test" && <Badge>{word("test")}</Badge>}
        </span>
      </div>
      <div className="flex flex-1 flex-col gap-1 px-4 py-3">
        <p className="truncate text-sm font-medium">{task.model}</p>
        <p className="flex justify-between gap-2 text-xs text-muted">
          <span className="truncate">
            {word(task.operation)} · <time dateTime={task.created_at}>{ago(task.created_at)}</time>
          </span>
          {isFinal(task) && <span className="tabular-nums">{yuan(task.charge)}</span>}
        </p>
        {task.error && <p className="line-clamp-2 text-xs text-bad">{taskWords(task.error)}</p>}
      </div>
    </Link>
  );
}

function Cover({ of: task }: { of: Task }) {
  const t = useTexts("tasks");
  const cover = fileOf(task, "cover");
  if (cover?.url)
    return (
      <img
        src={cover.url}
        alt={t("coverOf", { model: task.model })}
        loading="lazy"
        decoding="async"
        className="size-full object-cover transition-transform duration-300 group-hover:scale-[1.03]"
      />
    );
  return (
    <div className="flex size-full items-center justify-center px-6 text-sm text-faint">
      {isFinal(task) ? <span>{cover ? t("gone") : t("noCover")}</span> : <Progress of={task} />}
    </div>
  );
}
