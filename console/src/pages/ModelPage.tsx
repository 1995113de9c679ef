import type { ReactNode } from "react";
import { Link, useParams } from "react-router";
import { ApiError } from "@/api/errors";
import { type Model, useModel } from "@/api/models";
import { useLanguage, useTexts } from "@/i18n";
import { CodeExamples } from "@/pages/models/CodeExamples";
import { Files, Limits, Sizes } from "@/pages/models/LimitTables";
import { OperationIcon } from "@/pages/models/OperationIcon";
import { ParameterTable } from "@/pages/models/ParameterTable";
import { ExampleList } from "@/pages/models/PriceLine";
import { PriceTable } from "@/pages/models/PriceTable";
import { useNames } from "@/pages/models/names";
import { useTitle } from "@/lib/title";
import { paths } from "@/paths";
import { ButtonLink } from "@/ui/Button";
import { Badge, Card, Empty, Skeleton } from "@/ui/Card";
import { CopyButton } from "@/ui/CopyButton";
import { Problem } from "@/ui/Problem";

/** One model: what it does, costs and takes, and how it is called. */
export function Page() {
  const t = useTexts("models");
  const { llmid = "" } = useParams();
  const found = useModel(llmid);
  return (
    <>
      <Link to={paths.models()} className="mb-4 inline-flex min-h-9 items-center gap-1 text-sm text-muted hover:text-ink">
        <span aria-hidden>←</span> {t("backToAll")}
      </Link>
      {found.isPending && <PageSkeleton />}
      {found.isError && <Failed error={found.error} onRetry={() => void found.refetch()} />}
      {found.data && <Whole model={found.data} />}
    </>
  );
}

function Failed({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const t = useTexts("models");
  if (!(error instanceof ApiError && error.status === 404)) return <Problem error={error} onRetry={onRetry} />;
  return (
    <Empty title={t("gone")}>
      <p className="mb-4">{t("goneHint")}</p>
      <ButtonLink to={paths.models()}>{t("backToAll")}</ButtonLink>
    </Empty>
  );
}

function Whole({ model }: { model: Model }) {
  const t = useTexts("models");
  return (
    <>
      <Head model={model} />
      <div className="grid gap-8 lg:grid-cols-[minmax(0,1fr)_minmax(0,22rem)]">
        <div className="flex min-w-0 flex-col gap-10">
          <Part title={t("price")}>
            <ExampleList model={model} />
            <PriceTable price={model.price} />
          </Part>
          <Part title={t("code")}>
            <CodeExamples key={model.llmid} model={model} />
          </Part>
          <Part title={t("parameters")}>
            <ParameterTable model={model} />
          </Part>
          {model.video && model.video.media.length > 0 && (
            <Part title={t("files")}>
              <Files media={model.video.media} oneOf={model.video.needs_any_of} />
            </Part>
          )}
          {model.video && Object.keys(model.video.sizes).length > 0 && (
            <Part title={t("sizes")}>
              <Sizes sizes={model.video.sizes} />
            </Part>
          )}
        </div>
        <aside aria-label={t("limits")} className="order-first lg:order-none">
          <Card className="lg:sticky lg:top-20">
            <h2 className="mb-4">{t("limits")}</h2>
            <Limits model={model} />
          </Card>
        </aside>
      </div>
    </>
  );
}

function Head({ model }: { model: Model }) {
  const t = useTexts("models");
  const names = useNames();
  const language = useLanguage();
  const isChat = model.operation === "chat";
  useTitle(names.label(model.label));
  return (
    <header className="mb-8 flex flex-wrap items-start gap-x-4 gap-y-5">
      <OperationIcon operation={model.operation} />
      <div className="min-w-0 flex-1 basis-72">
        <h1>{names.label(model.label)}</h1>
        <p className="mt-1 text-muted">
          {names.provider(model.provider)} · {names.operation(model.operation)}
        </p>
        <p className="mt-3 max-w-2xl">{language === "zh" ? model.description_zh || model.description : model.description}</p>
        <ul className="mt-3 flex flex-wrap gap-1.5" aria-label={t("capability")}>
          {model.capabilities.map((one) => (
            <li key={one}>
              <Badge tone={one === model.operation ? "accent" : "plain"}>{names.capability(one)}</Badge>
            </li>
          ))}
        </ul>
      </div>
      <div className="flex flex-wrap gap-2">
        <ButtonLink tone="primary" to={isChat ? paths.chat(model.model) : paths.video(model.llmid)}>
          {t("tryIt")}
        </ButtonLink>
        <CopyButton text={isChat ? model.model : model.llmid} label={t(isChat ? "copyName" : "copyId")} />
      </div>
    </header>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <h2 className="mb-3">{title}</h2>
      {children}
    </section>
  );
}

function PageSkeleton() {
  return (
    <div className="flex flex-col gap-4">
      <Skeleton className="h-9 w-64" />
      <Skeleton className="h-5 w-full max-w-xl" />
      <Skeleton className="mt-4 h-40 w-full" />
      <Skeleton className="h-64 w-full" />
    </div>
  );
}
