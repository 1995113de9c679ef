import { useMutation } from "@tanstack/react-query";
import { ApiError } from "@/api/errors";
import { refillTest } from "@/api/finance";
import { useTexts } from "@/i18n";
import { paths } from "@/paths";
import type { Access } from "@/playground/key";
import { Button, ButtonLink } from "@/ui/Button";
import { Problem } from "@/ui/Problem";

const NO_MONEY = "insufficient_quota";

/** A call that was refused; where there is not money enough, with the way to more. */
export function CallProblem({ access, error, onRetry }: { access: Access; error: unknown; onRetry?: () => void }) {
  const isPoor = error instanceof ApiError && error.code === NO_MONEY;
  return (
    <Problem error={error} {...(onRetry && { onRetry })}>
      {isPoor && <div className="mt-2">{access.book === "test" ? <FillTest /> : <TopUp />}</div>}
    </Problem>
  );
}

function TopUp() {
  const t = useTexts("playground");
  return <ButtonLink to={paths.finance()}>{t("topUp")}</ButtonLink>;
}

function FillTest() {
  const t = useTexts("playground");
  const fill = useMutation({ mutationFn: refillTest });
  if (fill.isError) return <Problem error={fill.error} onRetry={() => fill.mutate()} />;
  return (
    <Button isBusy={fill.isPending} disabled={fill.isSuccess} onClick={() => fill.mutate()}>
      {t("fillTest")} {fill.isSuccess && "✓"}
    </Button>
  );
}
