import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useSearchParams } from "react-router";
import { api, call } from "@/api/client";
import { useModels } from "@/api/models";
import { useTexts } from "@/i18n";
import { useNames } from "@/pages/models/names";
import { typedOf, type Uploads } from "@/pages/video/request";
import { TaskCard } from "@/pages/video/TaskCard";
import { useVideos, type Video } from "@/pages/video/useVideos";
import { VideoForm } from "@/pages/video/VideoForm";
import { paths } from "@/paths";
import { BookChoice, useAccess } from "@/playground/BookChoice";
import type { Access } from "@/playground/key";
import { type Offer, offerNamed } from "@/playground/offers";
import { useTyped } from "@/playground/useTyped";
import { Card, Empty, PageHead, Skeleton } from "@/ui/Card";
import { SelectField } from "@/ui/Field";
import { Problem } from "@/ui/Problem";

/** In this order they are shown, and a name that several offers share means the first. */
const KINDS = ["text_to_video", "image_to_video", "reference_to_video"];

export function Page() {
  const t = useTexts("playground");
  const models = useModels();
  if (models.isError) return <Problem error={models.error} onRetry={() => void models.refetch()} />;
  if (!models.data) return <Skeleton className="h-96 w-full" />;
  const offers = models.data.filter((one) => one.video).toSorted((a, b) => KINDS.indexOf(a.operation) - KINDS.indexOf(b.operation));
  if (!offers.length) return <Empty title={t("noModels")}>{t("noModelsHint")}</Empty>;
  return <Making offers={offers} />;
}

/** A task whose settings the address asks to use again. */
function useTaskOf(id: string | null) {
  return useQuery({
    queryKey: ["tasks", id, "reuse"],
    queryFn: () => call(() => api.GET("/api/tasks/{task_id}", { params: { path: { task_id: id ?? "" } } })),
    enabled: id !== null,
    staleTime: Infinity,
  });
}

function Making({ offers }: { offers: readonly Offer[] }) {
  const t = useTexts("video");
  const access = useAccess();
  const [search, setSearch] = useSearchParams();
  const [typed, setTyped, keepTyped] = useTyped();
  const [uploads, setUploads] = useState<Uploads>({});
  const [warnings, setWarnings] = useState<ReadonlyMap<string, readonly string[]>>(new Map());
  const [applied, setApplied] = useState<string | null>(null);
  const from = useTaskOf(search.get("from"));
  const offer = offerNamed(offers, search.get("model") ?? "") ?? offers[0];
  if (!offer) return null;
  if (from.data && from.data.id !== applied) {
    setApplied(from.data.id);
    setTyped(typedOf(from.data.parameters, offer));
  }

  function go(changes: Record<string, string | null>): void {
    setSearch(
      (now) => {
        for (const [name, value] of Object.entries(changes)) if (value === null) now.delete(name);
          else now.set(name, value);
        return now;
      },
      { replace: true },
    );
  }

  return (
    <>
      <PageHead title={t("title")} lead={t("lead")} />
      <div className="grid items-start gap-6 lg:grid-cols-[24rem_minmax(0,1fr)]">
        <div className="flex min-w-0 flex-col gap-4">
          <Card className="flex min-w-0 flex-col gap-5">
            <OfferChoice offers={offers} offer={offer} onChoose={(llmid) => go({ model: llmid, from: null })} />
            {from.isError && <Problem error={from.error} onRetry={() => void from.refetch()} />}
            <VideoForm
              {...{ access, offer }}
              draft={{ typed, uploads }}
              onDraft={(draft) => {
                setTyped(draft.typed);
                setUploads(draft.uploads);
              }}
              onLeave={keepTyped}
              onMade={(video) => setWarnings(new Map(warnings).set(video.id, video.yuanjing.warnings))}
            />
          </Card>
          <Card>
            <BookChoice access={access} />
          </Card>
        </div>
        <Latest
          access={access}
          warnings={warnings}
          onReuse={(video) => {
            setApplied(null);
            go({ model: video.yuanjing.requested_llmid, from: video.id });
          }}
        />
      </div>
    </>
  );
}

interface OfferChoiceProps {
  offers: readonly Offer[];
  offer: Offer;
  onChoose: (llmid: string) => void;
}

function OfferChoice({ offers, offer, onChoose }: OfferChoiceProps) {
  const t = useTexts("video");
  const names = useNames();
  return (
    <SelectField
      label={t("offer")}
      value={offer.llmid}
      onChange={(event) => onChoose(event.target.value)}
      options={offers.map((one) => [one.llmid, `${names.operation(one.operation)} · ${names.label(one.label)}`])}
    />
  );
}

interface LatestProps {
  access: Access;
  warnings: ReadonlyMap<string, readonly string[]>;
  onReuse: (video: Video) => void;
}

/** What was made last, and what is being made. */
function Latest({ access, warnings, onReuse }: LatestProps) {
  const t = useTexts("video");
  const videos = useVideos(access);
  return (
    <section aria-label={t("tasks")} className="flex min-w-0 flex-col gap-4">
      <header className="flex items-baseline justify-between gap-3">
        <h2>{t("tasks")}</h2>
        <Link to={paths.tasks()} className="text-sm text-accent-ink underline">
          {t("allTasks")}
        </Link>
      </header>
      {videos.isError && <Problem error={videos.error} onRetry={() => void videos.refetch()} />}
      {videos.isPending && <Skeleton className="h-64 w-full" />}
      {videos.data?.length === 0 && <Empty title={t("empty")}>{t("emptyHint")}</Empty>}
      <div className="grid gap-4 xl:grid-cols-2">
        {videos.data?.map((video) => (
          <TaskCard key={video.id} access={access} video={video} warnings={warnings.get(video.id) ?? []} onReuse={() => onReuse(video)} />
        ))}
      </div>
    </section>
  );
}
