import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { type Balance, refillTest, useBalance } from "@/api/finance";
import { useTexts } from "@/i18n";
import { nanos, yuan } from "@/lib/money";
import { exactMoment } from "@/lib/time";
import { Amount } from "@/ui/Amount";
import { Button } from "@/ui/Button";
import { Card, Skeleton } from "@/ui/Card";
import { Loaded } from "@/ui/Loaded";
import { Problem } from "@/ui/Problem";

/** What is owned, in both books. */
export function BalanceCards() {
  const t = useTexts("finance");
  return (
    <div className="min-w-0">
      <Loaded of={useBalance()} skeleton={<CardsSkeleton />}>
        {({ live, test, as_of: asOf }) => (
          <>
            <div className="grid gap-4 sm:grid-cols-2">
              <BookCard title={t("liveBook")} of={live} isMain />
              <BookCard title={t("testBook")} of={test}>
                <Refill />
              </BookCard>
            </div>
            <p className="mt-2 text-xs text-faint">{t("asOf", { time: exactMoment(asOf) })}</p>
          </>
        )}
      </Loaded>
    </div>
  );
}

function CardsSkeleton() {
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      <Skeleton className="h-44 w-full" />
      <Skeleton className="h-44 w-full" />
    </div>
  );
}

interface BookCardProps {
  title: string;
  of: Balance["live"];
  isMain?: boolean;
  children?: ReactNode;
}

function BookCard({ title, of: book, isMain = false, children }: BookCardProps) {
  const t = useTexts("finance");
  return (
    <Card className={isMain ? "border-accent/40 bg-linear-to-br from-accent-soft to-surface" : ""}>
      <h2 className="text-sm font-medium text-muted">{title}</h2>
      <p className="mt-2 text-sm text-muted">{t("available")}</p>
      <p className="text-3xl font-semibold tracking-tight break-words tabular-nums">
        <Amount>{yuan(book.available)}</Amount>
      </p>
      <dl className="mt-4 flex flex-wrap gap-x-8 gap-y-2 text-sm">
        <div title={t("heldHint")}>
          <dt className="text-muted">{t("held")}</dt>
          <dd className="tabular-nums">
            <Amount>{yuan(book.held)}</Amount>
          </dd>
        </div>
        <div>
          <dt className="text-muted">{t("promotion")}</dt>
          <dd className="tabular-nums">
            <Amount>{yuan(book.promotion)}</Amount>
          </dd>
        </div>
      </dl>
      {children}
    </Card>
  );
}

function Refill() {
  const t = useTexts("finance");
  const refill = useMutation({ mutationFn: refillTest });
  return (
    <div className="mt-4 flex flex-col gap-2">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <p className="text-sm text-faint">{t("testHint")}</p>
        <Button isBusy={refill.isPending} onClick={() => refill.mutate()}>
          {t("refill")}
        </Button>
      </div>
      {refill.isError && <Problem error={refill.error} />}
      {refill.isSuccess && (
        <p role="status" className="text-sm text-good">
          {nanos(refill.data) > 0n ? t("refilled", { amount: yuan(refill.data) }) : t("full")}
        </p>
      )}
    </div>
  );
}
