import { Problem } from "@/ui/Problem";
import { useToldOnce } from "@/ui/once";

/** Why a part of a page is not there; nothing where another part says the same already. */
export function LoadProblem({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const { isTold, retry } = useToldOnce(error, onRetry);
  return isTold ? <Problem error={error} onRetry={retry} /> : null;
}
