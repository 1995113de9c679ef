import { useTexts } from "@/i18n";
import { Button } from "@/ui/Button";

interface Pages {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => Promise<unknown>;
}

/** The button below a list that goes on; nothing where it does not. */
export function More({ of: pages }: { of: Pages }) {
  const t = useTexts("common");
  if (!pages.hasNextPage) return null;
  return (
    <div className="mt-4 flex justify-center print:hidden">
      <Button isBusy={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
        {t("more")}
      </Button>
    </div>
  );
}
