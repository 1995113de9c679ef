import { type ReactNode, useCallback } from "react";
import { Link } from "react-router";
import { useModels } from "@/api/models";
import { useTexts } from "@/i18n";
import { useFilters } from "@/lib/filters";
import { type Block, type CodeText, spans } from "@/pages/guide/parse";
import { PriceLine } from "@/pages/models/PriceLine";
import { useNames } from "@/pages/models/names";
import { inOrder } from "@/pages/models/prices";
import { paths } from "@/paths";
import { Skeleton } from "@/ui/Card";
import { Code } from "@/ui/Code";
import { LoadProblem } from "@/ui/LoadProblem";
import { Segments } from "@/ui/Segments";
import { Table } from "@/ui/Table";

const monoClass = "rounded-[0.3rem] bg-sunken px-1.5 py-0.5 font-mono text-[0.85em] break-words";
const LABELS: Readonly<Record<string, string>> = { sh: "Shell", python: "Python", javascript: "JavaScript", json: "JSON", text: "SSE" };

export function BlockView({ block }: { block: Block }) {
  switch (block.kind) {
    case "heading":
      return <Heading level={block.level} id={block.id} text={block.text} />;
    case "text":
      return (
        <p className="my-3 leading-relaxed text-pretty">
          <Rich text={block.text} />
        </p>
      );
    case "list":
      return <List items={block.items} isNumbered={block.isNumbered} />;
    case "table":
      return <TextTable head={block.head} rows={block.rows} />;
    case "code":
      return <Programs parts={block.parts} />;
    case "offers":
      return <Offers operation={block.operation} />;
  }
}

/** Code, emphasis and links in a text; links lead to places of the console. */
export function Rich({ text }: { text: string }): ReactNode {
  return spans(text).map((span, index) => {
    if (span.kind === "code") return <code key={index} className={monoClass}>{span.text}</code>;
    if (span.kind === "strong") return <strong key={index}>{span.text}</strong>;
    if (span.kind === "link")
      return (
        <Link key={index} to={span.to} className="text-accent-ink underline underline-offset-2">
          {span.text}
        </Link>
      );
    return <span key={index}>{span.text}</span>;
  });
}

function Heading({ level, id, text }: { level: 1 | 2 | 3; id: string; text: string }) {
  // The page is drawn after the browser has looked for the place that the address names.
  const arrive = useCallback(
    (element: HTMLElement | null) => {
      if (element && location.hash === `#${id}`) element.scrollIntoView();
    },
    [id],
  );
  const Tag = `h${level}` as const;
  const looks = { 1: "mb-4", 2: "mt-14 border-t border-line pt-8 text-xl", 3: "mt-10" }[level];
  return (
    <Tag id={id} ref={arrive} className={`scroll-mt-20 ${looks}`}>
      <Rich text={text} />
    </Tag>
  );
}

function List({ items, isNumbered }: { items: readonly string[]; isNumbered: boolean }) {
  const Tag = isNumbered ? "ol" : "ul";
  return (
    <Tag className={`my-3 flex flex-col gap-2 pl-5 leading-relaxed ${isNumbered ? "list-decimal" : "list-disc"} marker:text-faint`}>
      {items.map((item) => (
        <li key={item}>
          <Rich text={item} />
        </li>
      ))}
    </Tag>
  );
}

function TextTable({ head, rows }: { head: readonly string[]; rows: readonly (readonly string[])[] }) {
  const t = useTexts("guide");
  const columns = head.map((title, index) => ({
    key: String(index),
    head: <Rich text={title} />,
    isName: index === 0,
    cell: (row: readonly string[]) => (
      <span className={index === head.length - 1 ? "block min-w-48" : "block min-w-14"}>
        <Rich text={row[index] ?? ""} />
      </span>
    ),
  }));
  return (
    <div className="my-4">
      <Table label={`${t("table")}: ${head[0] ?? ""}`} columns={columns} rows={rows} rowKey={(row) => row.join("|")} />
    </div>
  );
}

/** One call; in several languages it is shown in the one that was chosen last, for the whole page. */
function Programs({ parts }: { parts: readonly CodeText[] }) {
  const t = useTexts("guide");
  const filters = useFilters();
  const languages = parts.map((part) => part.language);
  const language = filters.pick("code", languages) ?? languages[0];
  const shown = parts.find((part) => part.language === language) ?? parts[0];
  if (!shown) return null;
  const label = LABELS[shown.language] ?? shown.language;
  return (
    <div className="my-4 flex flex-col items-stretch gap-2">
      {parts.length > 1 && (
        <div>
          <Segments
            label={t("language")}
            value={shown.language}
            options={parts.map((part) => [part.language, LABELS[part.language] ?? part.language] as const)}
            onChange={(one) => filters.change({ code: one })}
          />
        </div>
      )}
      <Code text={shown.text} label={shown.language === "json" || shown.language === "text" ? `${t("answer")} · ${label}` : label} />
    </div>
  );
}

/** What is sold for an operation, as it is now. */
function Offers({ operation }: { operation: string }) {
  const t = useTexts("guide");
  const names = useNames();
  const found = useModels();
  if (found.isPending) return <Skeleton className="my-4 h-40 w-full" />;
  if (found.isError) return <LoadProblem error={found.error} onRetry={() => void found.refetch()} />;
  const rows = inOrder(found.data.filter((model) => model.operation === operation));
  return (
    <div className="my-4">
      <Table
        label={names.operation(operation)}
        rows={rows}
        rowKey={(model) => model.llmid}
        columns={[
          {
            key: "id",
            head: t("modelId"),
            isName: true,
            cell: (model) => (
              <Link to={paths.model(model.llmid)} className="font-mono text-[0.8125rem] text-accent-ink underline underline-offset-2">
                {model.llmid}
              </Link>
            ),
          },
          { key: "provider", head: t("provider"), cell: (model) => names.provider(model.provider) },
          {
            key: "models",
            head: t("models"),
            cell: (model) => (
              <span className="font-mono text-[0.8125rem]">{(model.video?.models ?? [model.model]).join(", ")}</span>
            ),
          },
          { key: "price", head: t("price"), cell: (model) => <PriceLine price={model.price} /> },
        ]}
      />
    </div>
  );
}
