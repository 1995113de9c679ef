import { useCallback, useEffect, useMemo, useState } from "react";
import { Link, Navigate, useSearchParams } from "react-router";
import { useModels } from "@/api/models";
import { useTexts } from "@/i18n";
import { byCost } from "@/pages/models/prices";
import { addressOf, keepDraft, type KeptDraft, restoreDraft } from "@/pages/video/keptDraft";
import { OfferChoice } from "@/pages/video/OfferChoice";
import type { Draft, Uploads } from "@/pages/video/request";
import { TaskCard } from "@/pages/video/TaskCard";
import { thriftyOf } from "@/pages/video/thrift";
import { useReuse } from "@/pages/video/useReuse";
import { useVideos, type Video } from "@/pages/video/useVideos";
import { VideoForm } from "@/pages/video/VideoForm";
import { paths } from "@/paths";
import { BookChoice, useAccess } from "@/playground/BookChoice";
import type { Access } from "@/playground/key";
import { type Offer, offerNamed } from "@/playground/offers";
import { sharedFields, useTyped } from "@/playground/useTyped";
import { Button } from "@/ui/Button";
import { Card, Empty, PageHead, Skeleton } from "@/ui/Card";
import { LoadProblem } from "@/ui/LoadProblem";
import { Problem } from "@/ui/Problem";

/** In this order they are shown, the cheapest first; a name that several offers share means the first. */
const KINDS = ["text_to_video", "image_to_video", "reference_to_video"];

export function Page() {
  const t = useTexts("playground");
  const models = useModels();
  const { customer } = useAccess();
  const [owner, setOwner] = useState(customer); // who is signed in may not be known yet; once it is, the page is theirs
  const kept = useMemo(() => (owner ? restoreDraft(sessionStorage, owner) : null), [owner]);
  const [search] = useSearchParams();
  if (models.isError) return <Problem error={models.error} onRetry={() => void models.refetch()} />;
  if (!owner && customer) setOwner(customer);
  if (!models.data || !owner) return <Skeleton className="h-96 w-full" />;
  const offers = models.data.filter((one) => one.video).toSorted((a, b) => KINDS.indexOf(a.operation) - KINDS.indexOf(b.operation) || byCost(a, b));
  if (!offers.length) return <Empty title={t("noModels")}>{t("noModelsHint")}</Empty>;
  if (!search.size && kept?.search) return <Navigate to={{ search: kept.search }} replace />; // as it was left
  return <Making {...{ offers, kept }} />;
}

function Making({ offers, kept }: { offers: readonly Offer[]; kept: KeptDraft | null }) {
  const t = useTexts("video");
  const access = useAccess();
  const [search, setSearch] = useSearchParams();
  const address = addressOf(search);
  const shared = useMemo(() => sharedFields(offers), [offers]);
  const isSame = kept !== null && kept.search === address;
  const [typed, setTyped, keepTyped] = useTyped(shared, isSame ? kept.typed : undefined);
  const [uploads, setUploads] = useState<Uploads>({});
  const [warnings, setWarnings] = useState<ReadonlyMap<string, readonly string[]>>(new Map());
  const fromId = search.get("from");
  const offer = offerNamed(offers, search.get("model") ?? "") ?? offers[0];
  const written = useMemo(() => ({ typed, uploads }), [typed, uploads]);
  const onDraft = useCallback(
    (changed: Draft) => {
      setTyped(changed.typed);
      setUploads(changed.uploads);
    },
    [setTyped],
  );
  const { from, replaced, keep, begin } = useReuse({ fromId, offer, draft: written, kept: isSame ? kept.reused : null, onDraft });
  useEffect(() => {
    if (access.customer) keepDraft(sessionStorage, access.customer, { search: address, typed, reused: keep });
  });
  if (!offer) return null;
  const draft: Draft = { typed: { ...thriftyOf(offer), ...typed }, uploads };

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
            {replaced && (
              <div role="status" className="flex flex-wrap items-center justify-between gap-2 rounded-control bg-accent-soft px-3 py-1.5 text-sm">
                {t(replaced.hasFiles ? "reusedFiles" : "reused")}
                <Button
                  tone="quiet"
                  onClick={() => {
                    onDraft(replaced.before.draft);
                    go({ model: replaced.before.llmid, from: null });
                  }}
                >
                  {t("undo")}
                </Button>
              </div>
            )}
            <VideoForm
              {...{ access, offer, draft }}
              gone={replaced?.gone ?? []}
              onDraft={onDraft}
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
            begin(video.id, offer.llmid);
            go({ model: video.yuanjing.requested_llmid, from: video.id });
          }}
        />
      </div>
    </>
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
      {videos.isError && <LoadProblem error={videos.error} onRetry={() => void videos.refetch()} />}
      {videos.isPending && <Skeleton className="h-64 w-full" />}
      {videos.data?.length === 0 && <Empty title={t("empty")}>{t("emptyHint")}</Empty>}
      <div className="grid grid-cols-1 gap-4 xl:grid-cols-2 min-[112rem]:grid-cols-3">
        {videos.data?.map((video) => (
          <TaskCard key={video.id} access={access} video={video} warnings={warnings.get(video.id) ?? []} onReuse={() => onReuse(video)} />
        ))}
      </div>
    </section>
  );
}
