import { useTexts } from "@/i18n";
import { roundedUp, yuan } from "@/lib/money";
import type { Draft } from "@/pages/video/request";
import { useQuote } from "@/pages/video/useVideos";
import type { Access } from "@/playground/key";
import type { Offer } from "@/playground/offers";
import type { Field } from "@/playground/schema";
import { LoadProblem } from "@/ui/LoadProblem";

interface CeilingProps {
  access: Access;
  offer: Offer;
  fields: readonly Field[];
  draft: Draft;
  /** Why there is no price yet; null if there can be one. */
  lack: "missing" | "invalid" | null;
}

/** The most that it can cost, before it is asked for; to the fen, with the exact amount below. */
export function Ceiling({ access, offer, fields, draft, lack }: CeilingProps) {
  const t = useTexts("video");
  const quote = useQuote(access, offer, fields, draft, lack === null);
  if (quote.isError && lack === null) return <LoadProblem error={quote.error} onRetry={() => void quote.refetch()} />;
  const found = lack === null ? quote.data : undefined;
  const shown = found && roundedUp(found.ceiling);
  const exact = found && shown !== yuan(found.ceiling) ? ` ${t("ceilingExact", { amount: yuan(found.ceiling) })}` : "";
  return (
    <div className="rounded-control bg-sunken px-4 py-3">
      <div role="status" aria-busy={quote.isFetching} className="flex items-baseline justify-between gap-3">
        <span className="text-sm text-muted">{t("ceiling")}</span>
        <strong className={`text-xl tabular-nums ${quote.isPlaceholderData ? "opacity-50" : ""}`}>{shown ?? "—"}</strong>
      </div>
      <p className="mt-1 text-xs text-faint">
        {lack === null ? t("ceilingHint") : t(lack === "invalid" ? "ceilingInvalid" : "ceilingLater")}
        {exact}
      </p>
      <Warnings warnings={found?.warnings ?? []} />
    </div>
  );
}

/** What is done otherwise than asked. */
export function Warnings({ warnings }: { warnings: readonly string[] }) {
  const t = useTexts("video");
  if (!warnings.length) return null;
  return (
    <ul aria-label={t("warnings")} className="mt-2 list-disc pl-4 text-xs text-warn">
      {warnings.map((one) => (
        <li key={one}>{one}</li>
      ))}
    </ul>
  );
}
