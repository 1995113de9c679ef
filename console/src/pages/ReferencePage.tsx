import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link, useSearchParams } from "react-router";
import { getDocument } from "@/api/answers";
import { useTexts } from "@/i18n";
import { reference } from "@/i18n/areas/reference";
import { useFilters } from "@/lib/filters";
import { CallView, Method } from "@/pages/reference/CallView";
import { type ApiDocument, callsOf, type Group, groupsOf, SchemaReader } from "@/pages/reference/document";
import { buttonClass, Button } from "@/ui/Button";
import { Empty, PageHead, Skeleton } from "@/ui/Card";
import { DraftField } from "@/ui/DraftField";
import { LoadProblem } from "@/ui/LoadProblem";

const DOCUMENT = "/openapi.json";

/** The description of the API is no part of what it describes, so the typed client does not know it. */
async function loadDocument(): Promise<ApiDocument> {
  return (await (await getDocument(DOCUMENT)).json()) as ApiDocument;
}

/** Every call of the API, out of its own description; which one is shown is in the address. */
export function Page() {
  const t = useTexts("reference");
  const filters = useFilters();
  const found = useQuery({ queryKey: ["openapi"], queryFn: loadDocument, staleTime: Infinity });
  const raw = (
    <a href={DOCUMENT} className={buttonClass()}>
      {t("raw")}
    </a>
  );
  return (
    <>
      <PageHead title={t("title")} lead={t("lead")} actions={raw} />
      {found.isPending && <Skeleton className="h-96 w-full" />}
      {found.isError && <LoadProblem error={found.error} onRetry={() => void found.refetch()} />}
      {found.data && <Whole document={found.data} text={filters.get("q") ?? ""} chosen={filters.get("call")} />}
    </>
  );
}

function Whole({ document, text, chosen }: { document: ApiDocument; text: string; chosen: string | null }) {
  const t = useTexts("reference");
  const filters = useFilters();
  const reader = useMemo(() => new SchemaReader(document), [document]);
  const calls = useMemo(() => callsOf(document), [document]);
  const groups = useMemo(() => groupsOf(document, calls, text), [document, calls, text]);
  const call = calls.find((one) => one.id === chosen);
  return (
    <div className="grid gap-8 lg:grid-cols-[20rem_minmax(0,1fr)]">
      <div
        className={`flex-col gap-4 lg:sticky lg:top-20 lg:flex lg:max-h-[calc(100dvh-6rem)] lg:self-start lg:overflow-y-auto lg:p-1 ${call ? "hidden" : "flex"}`}
      >
        <search>
          <DraftField
            label={t("search")}
            type="search"
            placeholder={t("searchHint")}
            value={text}
            onSettled={(q) => filters.change({ q })}
          />
        </search>
        <Calls groups={groups} chosen={chosen} />
        {groups.length === 0 && (
          <Empty title={t("none")}>
            <Button onClick={() => filters.change({ q: null })}>{t("clear")}</Button>
          </Empty>
        )}
      </div>
      <div className={`min-w-0 ${call ? "" : "hidden lg:block"}`}>
        {call ? (
          <>
            <Button tone="quiet" className="mb-4 lg:hidden" onClick={() => filters.change({ call: null })}>
              ← {t("back")}
            </Button>
            <CallView key={call.id} call={call} reader={reader} />
          </>
        ) : (
          <Empty title={t("choose")}>{t("chooseHint")}</Empty>
        )}
      </div>
    </div>
  );
}

type Named = Parameters<ReturnType<typeof useTexts<"reference">>>[0];
const isNamed = (tag: string): tag is Named => tag in reference;

function Calls({ groups, chosen }: { groups: readonly Group[]; chosen: string | null }) {
  const t = useTexts("reference");
  const [query] = useSearchParams();

  function to(id: string): string {
    const next = new URLSearchParams(query);
    next.set("call", id);
    return `?${next}`;
  }

  return (
    <nav aria-label={t("calls")} className="flex flex-col gap-5">
      {groups.map(({ tag, description, calls }) => (
        <section key={tag}>
          <h2 className="mb-1 px-2 text-sm">{isNamed(tag) ? t(tag) : description || tag}</h2>
          <ul>
            {calls.map(({ id, method, path }) => (
              <li key={id}>
                <Link
                  to={to(id)}
                  aria-current={id === chosen ? "true" : undefined}
                  className="flex items-center gap-2 rounded-control px-2 py-1.5 text-xs hover:bg-sunken aria-[current]:bg-accent-soft"
                >
                  <span className="w-15 shrink-0">
                    <Method name={method} />
                  </span>
                  <code className="min-w-0 font-mono break-all">{path}</code>
                </Link>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </nav>
  );
}
