import type { ReactNode } from "react";
import { useTexts } from "@/i18n";
import { Rich } from "@/pages/guide/Blocks";
import { type Answer, type Call, exampleOf, type Parameter, requestOf, type Row, type SchemaReader } from "@/pages/reference/document";
import { CodeTabs } from "@/playground/CodeDialog";
import { Badge } from "@/ui/Card";
import { Code } from "@/ui/Code";
import { type Column, Table } from "@/ui/Table";

const TONES = { GET: "accent", POST: "good", PUT: "warn", PATCH: "warn", DELETE: "bad" } as const;

export function Method({ name }: { name: string }) {
  const tone = Object.entries(TONES).find(([method]) => method === name)?.[1] ?? "plain";
  return <Badge tone={tone}>{name}</Badge>;
}

/** One call in full. */
export function CallView({ call, reader }: { call: Call; reader: SchemaReader }) {
  const t = useTexts("reference");
  const bodies = Object.entries(call.requestBody?.content ?? {});
  const parameters = call.parameters ?? [];
  const request = requestOf(call);
  return (
    <article className="flex min-w-0 flex-col gap-8">
      <header>
        <h2 className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <Method name={call.method} />
          <code className="min-w-0 font-mono text-lg break-all">{call.path}</code>
        </h2>
        <p className="mt-3 max-w-2xl leading-relaxed">
          <Rich text={call.description ?? call.summary ?? ""} />
        </p>
        <p className="mt-3">
          <Access call={call} />
        </p>
      </header>
      {request && (
        <Part title={t("code")}>
          <CodeTabs requests={[request]} />
        </Part>
      )}
      {parameters.length > 0 && (
        <Part title={t("parameters")}>
          <Parameters parameters={parameters} reader={reader} />
        </Part>
      )}
      {bodies.length > 0 && (
        <Part title={t("body")}>
          {bodies.map(([media, { schema, ...more }]) => {
            const example = exampleOf(more);
            return (
              <div key={media} className="flex flex-col gap-3">
                <Fields label={t("fields", { media })} rows={schema ? reader.rows(schema) : []} />
                {example && <Code label={`${t("example")} · ${media}`} text={example} />}
              </div>
            );
          })}
        </Part>
      )}
      <Part title={t("answers")}>
        {Object.entries(call.responses ?? {}).map(([status, answer]) => (
          <AnswerView key={status} status={status} answer={answer} reader={reader} />
        ))}
      </Part>
    </article>
  );
}

function Access({ call }: { call: Call }) {
  const t = useTexts("reference");
  const needed = (call.security ?? []).flatMap((one) => Object.keys(one));
  if (needed.includes("api_key")) return <Badge tone="accent">{t("byKey")}</Badge>;
  return needed.includes("session") ? <Badge tone="warn">{t("bySession")}</Badge> : <Badge>{t("byNobody")}</Badge>;
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <h3 className="mb-3">{title}</h3>
      <div className="flex flex-col gap-4">{children}</div>
    </section>
  );
}

function Parameters({ parameters, reader }: { parameters: readonly Parameter[]; reader: SchemaReader }) {
  const t = useTexts("reference");
  const rows = parameters.map((one) => ({
    name: one.name,
    type: one.schema ? reader.type(one.schema) : "",
    isRequired: one.required ?? false,
    description: one.description ?? "",
    limits: one.schema ? reader.limits(one.schema) : "",
    place: one.in,
  }));
  const place: Column<(typeof rows)[number]> = { key: "place", head: t("place"), cell: (row) => row.place };
  const [name, ...rest] = useColumns();
  return <Table label={t("parameters")} columns={[...(name ? [name] : []), place, ...rest]} rows={rows} rowKey={(row) => `${row.place} ${row.name}`} />;
}

/** Of an answer nobody has to give anything. */
function useColumns(isAnswer = false): Column<Row>[] {
  const t = useTexts("reference");
  return [
    {
      key: "name",
      head: t("name"),
      isName: true,
      cell: (row) => (
        <span className="flex flex-wrap items-center gap-2">
          <code className="block max-w-44 font-mono text-[0.8125rem] wrap-anywhere sm:max-w-80 sm:min-w-28">{row.name}</code>
          {row.isRequired && !isAnswer && <Badge tone="warn">{t("required")}</Badge>}
        </span>
      ),
    },
    { key: "type", head: t("type"), cell: (row) => <span className="block max-w-72 break-words text-muted sm:min-w-20">{row.type}</span> },
    {
      key: "meaning",
      head: t("meaning"),
      cell: (row) => (
        <span className="block sm:min-w-56">
          <Rich text={row.description} />
          {row.limits && <span className="block text-xs text-faint">{row.limits}</span>}
        </span>
      ),
    },
  ];
}

function Fields({ label, rows, isAnswer = false }: { label: string; rows: readonly Row[]; isAnswer?: boolean }) {
  const columns = useColumns(isAnswer);
  if (rows.length === 0) return null;
  return (
    <>
      <p className="text-sm text-muted">{label}</p>
      <Table label={label} columns={columns} rows={rows} rowKey={(row) => row.name} />
    </>
  );
}

/** What may come back; a success is open, the rest opens. */
function AnswerView({ status, answer, reader }: { status: string; answer: Answer; reader: SchemaReader }) {
  const t = useTexts("reference");
  const isGood = status.startsWith("2");
  const contents = Object.entries(answer.content ?? {});
  const headers = Object.entries(answer.headers ?? {});
  return (
    <details open={isGood} className="rounded-card border border-line bg-surface px-4 py-2">
      <summary className="min-h-9 cursor-pointer py-1.5 text-sm">
        <Badge tone={isGood ? "good" : "plain"}>{status}</Badge> <Rich text={answer.description ?? ""} />
      </summary>
      <div className="flex flex-col gap-3 pt-2 pb-3">
        {contents.map(([media, { schema, ...more }]) => {
          const example = exampleOf(more);
          return (
            <div key={media} className="flex flex-col gap-3">
              <Fields label={t("fields", { media })} rows={schema ? reader.rows(schema) : []} isAnswer />
              {example && <Code label={`${t("example")} · ${media}`} text={example} />}
            </div>
          );
        })}
        {headers.length > 0 && (
          <p className="text-xs text-muted">
            {t("headers")}: {headers.map(([name]) => name).join(", ")}
          </p>
        )}
      </div>
    </details>
  );
}
