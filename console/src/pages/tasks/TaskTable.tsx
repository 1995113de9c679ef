import { Link } from "react-router";
import { useKeyNames } from "@/api/keys";
import { fileOf, isFinal, type Task } from "@/api/tasks";
import { useTexts } from "@/i18n";
import { useWords } from "@/i18n/words";
import { yuan } from "@/lib/money";
import { Progress, StateBadge } from "@/pages/tasks/TaskState";
import { paths } from "@/paths";
import { Badge } from "@/ui/Card";
import { ModelName } from "@/ui/ModelName";
import { Moment } from "@/ui/Moment";
import { type Column, Table } from "@/ui/Table";

/** Tasks as rows. */
export function TaskTable({ rows }: { rows: readonly Task[] }) {
  const t = useTexts("tasks");
  const word = useWords();
  const keys = useKeyNames();
  const columns: Column<Task>[] = [
    {
      key: "task",
      head: t("task"),
      isName: true,
      cell: (task) => (
        <Link to={paths.task(task.id)} className="flex items-center gap-3 text-accent-ink sm:max-lg:flex-col sm:max-lg:items-start sm:max-lg:gap-1 underline-offset-2 hover:underline">
          <Thumb of={task} />
          <code className="whitespace-nowrap">{task.id}</code>
        </Link>
      ),
    },
    {
      key: "state",
      head: t("state"),
      cell: (task) => (
        <div className="flex flex-col gap-1.5">
          <span className="flex flex-wrap gap-1">
            <StateBadge of={task} />
            {task.book === "test" && <Badge>{word("test")}</Badge>}
          </span>
          <Progress of={task} />
        </div>
      ),
    },
    {
      key: "model",
      head: t("model"),
      cell: (task) => <ModelName model={task.model} operation={task.operation} />,
    },
    { key: "key", head: t("key"), cell: (task) => <span className="block max-w-48 truncate">{keys.data?.get(task.key_id)?.name ?? task.key_id}</span> },
    {
      key: "created",
      head: t("created"),
      cell: (task) => <Moment at={task.created_at} />,
    },
    {
      key: "charge",
      head: t("charge"),
      isFigure: true,
      cell: (task) => (isFinal(task) ? yuan(task.charge) : <span className="text-muted">≤ {yuan(task.ceiling)}</span>),
    },
  ];
  return <Table label={t("title")} columns={columns} rows={rows} rowKey={(task) => task.id} />;
}

function Thumb({ of: task }: { of: Task }) {
  const url = fileOf(task, "cover")?.url;
  return (
    <span className="block h-9 w-16 shrink-0 overflow-hidden rounded-[0.35rem] bg-sunken">
      {url && <img src={url} alt="" loading="lazy" decoding="async" className="size-full object-cover" />}
    </span>
  );
}
