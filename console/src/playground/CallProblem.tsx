import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "@/api/errors";
import { refillTest } from "@/api/finance";
import { useTexts } from "@/i18n";
import { paths } from "@/paths";
import type { Access } from "@/playground/key";
import { Button, ButtonLink } from "@/ui/Button";
import { Problem } from "@/ui/Problem";

const NO_MONEY = "insufficient_quota";

/** A call that was refused; where there is not money enough, with the way to more, and on from there. */
export function CallProblem({ access, error, onRetry }: { access: Access; error: unknown; onRetry?: () => void }) {
  const [filledAfter, setFilledAfter] = useState<unknown>(null);
  const isPoor = error instanceof ApiError && error.code === NO_MONEY;
  if (isPoor && filledAfter === error) return <Filled {...(onRetry && { onRetry })} />;
  return (
    <Problem error={error} {...(onRetry && { onRetry })}>
      {isPoor && <div className="mt-2">{access.book === "test" ? <FillTest onFilled={() => setFilledAfter(error)} /> : <TopUp />}</div>}
    </Problem>
  );
}

function TopUp() {
  const t = useTexts("playground");
  return <ButtonLink to={paths.finance()}>{t("topUp")}</ButtonLink>;
}

function FillTest({ onFilled }: { onFilled: () => void }) {
  const t = useTexts("playground");
  const fill = useMutation({ mutationFn: refillTest, onSuccess: onFilled });
  if (fill.isError) return <Problem error={fill.error} onRetry={() => fill.mutate()} />;
  return (
    <Button isBusy={fill.isPending} onClick={() => fill.mutate()}>
      {t("fillTest")}
    </Button>
  );
}

/** There is money now: what was refused may be tried again, by who wants to pay for it. */
function Filled({ onRetry }: { onRetry?: () => void }) {
  const t = useTexts("playground");
  const common = useTexts("common");
  return (
    <div className="flex flex-wrap items-center gap-3 rounded-card bg-good-soft px-4 py-3 text-sm">
      <p role="status" className="min-w-0 flex-1 text-good">
        {t("filled")}
      </p>
      {onRetry && (
        <Button tone="primary" autoFocus onClick={onRetry}>
          {common("retry")}
        </Button>
      )}
    </div>
  );
}
