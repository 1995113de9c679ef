import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import type { KeptReuse } from "@/pages/video/keptDraft";
import type { Draft, Uploads } from "@/pages/video/request";
import { type Earlier, fetchEarlier, reusedIn, stillThere } from "@/pages/video/reuse";
import type { Offer } from "@/playground/offers";

/** A draft, and what was there before an earlier task took its place. */
interface Replaced {
  task: string;
  before: { draft: Draft; llmid: string };
  gone: readonly string[];
  hasFiles: boolean;
}

interface Place {
  /** The task that the address asks for. */
  fromId: string | null;
  offer: Offer | undefined;
  draft: Draft;
  /** What the tab has kept: the task has taken its place already, and may have been edited since. */
  kept: KeptReuse | null;
  onDraft: (draft: Draft) => void;
}

/** A task whose settings the address asks to use again. */
function useEarlier(id: string | null) {
  return useQuery({
    queryKey: ["tasks", id, "reuse"],
    queryFn: ({ signal }) => fetchEarlier(id ?? "", signal),
    enabled: id !== null,
    staleTime: Infinity,
  });
}

/** The settings of an earlier task in place of what was written, once; after that they are edited like any others. */
export function useReuse({ fromId, offer, draft, kept, onDraft }: Place) {
  const [replaced, setReplaced] = useState<Replaced | null>(null);
  const [restored, setRestored] = useState(kept);
  const previous = useRef("");
  const from = useEarlier(fromId);
  const earlier = from.data;
  useEffect(() => {
    if (!earlier || !offer || earlier.id === replaced?.task) return;
    const taken = restored?.task === earlier.id ? asKept(offer, earlier, restored) : asNew(offer, earlier, draft, previous.current);
    setRestored(null);
    setReplaced(taken.replaced);
    onDraft(taken.draft ?? { typed: draft.typed, uploads: taken.uploads });
  }, [earlier, offer, replaced, restored, draft, onDraft]);
  const isCurrent = replaced !== null && replaced.task === fromId;
  return {
    from,
    replaced: isCurrent ? replaced : null,
    keep: isCurrent ? keptOf(replaced, draft.uploads) : restored,
    /** The same task may be asked for once more. */
    begin: (task: string, llmid: string) => {
      previous.current = llmid;
      if (replaced?.task === task) setReplaced(null);
    },
  };
}

interface Taken {
  replaced: Replaced;
  /** Null where what is written stays. */
  draft: Draft | null;
  uploads: Uploads;
}

function asNew(offer: Offer, earlier: Earlier, before: Draft, llmid: string): Taken {
  const { typed, uploads, gone } = reusedIn(offer, earlier);
  const replaced = { task: earlier.id, before: { draft: before, llmid: llmid || offer.llmid }, gone, hasFiles: Object.keys(uploads).length > 0 };
  return { replaced, draft: { typed, uploads }, uploads };
}

/** After the page was loaded again: what is written stays, and of the task's files those that were still there. */
function asKept(offer: Offer, earlier: Earlier, { before, files }: KeptReuse): Taken {
  const reused = reusedIn(offer, earlier);
  const uploads = stillThere(reused.uploads, files);
  const draft = { typed: before.typed, uploads: {} };
  const replaced = { task: earlier.id, before: { draft, llmid: before.llmid }, gone: reused.gone, hasFiles: Object.keys(uploads).length > 0 };
  return { replaced, draft: null, uploads };
}

function keptOf({ task, before }: Replaced, uploads: Uploads): KeptReuse {
  const files = Object.values(uploads).flatMap((ones) => ones.map(({ file }) => file.name));
  return { task, before: { typed: before.draft.typed, llmid: before.llmid }, files };
}
