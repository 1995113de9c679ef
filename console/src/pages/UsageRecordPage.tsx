import { Link, useParams } from "react-router";
import { useKeyNames } from "@/api/keys";
import { type UsageDetails, useUsage } from "@/api/usage";
import { useTexts } from "@/i18n";
import { useWords } from "@/i18n/words";
import { yuan } from "@/lib/money";
import { count, milliseconds } from "@/lib/numbers";
import { exactMoment } from "@/lib/time";
import { ArithmeticCard } from "@/pages/usage/ArithmeticCard";
import { ReceiptCard } from "@/pages/usage/ReceiptCard";
import { paths } from "@/paths";
import { Found } from "@/shell/Found";
import { BackLink } from "@/ui/BackLink";
import { Badge, Card, PageHead } from "@/ui/Card";
import { Facts } from "@/ui/Facts";

/** One record: how its charge came about, and its receipt. */
export function Page() {
  const t = useTexts("usage");
  const id = useParams()["id"] ?? "";
  const found = useUsage(id);
  return (
    <>
      <BackLink to={paths.usage()}>{t("back")}</BackLink>
      <Found query={found}>{(data) => <Record of={data} />}</Found>
    </>
  );
}

function Record({ of: usage }: { of: UsageDetails }) {
  const word = useWords();
  return (
    <>
      <PageHead
        title={yuan(usage.charge)}
        lead={
          <>
            {usage.model} · {word(usage.operation)} · {exactMoment(usage.posted_at)}{" "}
            <Badge tone={usage.book === "live" ? "accent" : "plain"}>{word(usage.book)}</Badge>{" "}
            <Badge tone={usage.status === "completed" ? "good" : "warn"}>{word(usage.status)}</Badge>
          </>
        }
      />
      <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <div className="flex min-w-0 flex-col gap-4">
          <ArithmeticCard of={usage.arithmetic} uncollected={usage.uncollected} />
          <ReceiptCard address={`/api/usage/${encodeURIComponent(usage.id)}/receipt`} />
        </div>
        <RecordFacts of={usage} />
      </div>
    </>
  );
}

function RecordFacts({ of: usage }: { of: UsageDetails }) {
  const t = useTexts("usage");
  const word = useWords();
  const key = useKeyNames().data?.get(usage.key_id);
  return (
    <Card className="min-w-0">
      <h2 className="mb-4">{t("record")}</h2>
      <Facts
        items={[
          ["ID", <code key="id">{usage.id}</code>],
          [t("key"), key?.name ?? usage.key_id],
          [
            t("task"),
            usage.task_id && (
              <Link className="text-accent-ink underline underline-offset-2" to={paths.task(usage.task_id)}>
                {usage.task_id}
              </Link>
            ),
          ],
          ...Object.entries(usage.meters).map(([meter, value]) => [word(meter), value > 0 && count(value)] as const),
          [t("counted"), t(usage.counted_by)],
          [t("stream"), usage.operation === "chat" ? t(usage.is_stream ? "yes" : "no") : null],
          [t("started"), exactMoment(usage.started_at)],
          [t("posted"), exactMoment(usage.posted_at)],
          [t("firstByte"), usage.operation === "chat" ? milliseconds(usage.first_byte_ms) : null],
          [t("duration"), milliseconds(usage.duration_ms)],
          [t("requestId"), <code key="request">{usage.request_id}</code>],
        ]}
      />
    </Card>
  );
}
