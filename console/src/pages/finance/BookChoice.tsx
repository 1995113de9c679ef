import type { Book } from "@/api/finance";
import { useTexts } from "@/i18n";
import { useFilters } from "@/lib/filters";
import { Segments } from "@/ui/Segments";

const BOOKS: readonly Book[] = ["live", "test"];

/** The book that the address names; the live one if none. */
export function useBook(): Book {
  return useFilters().pick("book", BOOKS) ?? "live";
}

export function BookChoice() {
  const t = useTexts("finance");
  const filters = useFilters();
  return (
    <Segments
      label={t("book")}
      value={useBook()}
      options={[
        ["live", t("liveBook")],
        ["test", t("testBook")],
      ]}
      onChange={(book) => filters.change({ book: book === "live" ? null : book })}
    />
  );
}
