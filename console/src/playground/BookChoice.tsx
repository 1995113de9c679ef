import { Link, useSearchParams } from "react-router";
import { useBalance } from "@/api/finance";
import { useSession } from "@/api/session";
import { useTexts } from "@/i18n";
import { nanos, yuan } from "@/lib/money";
import { moment } from "@/lib/time";
import { paths } from "@/paths";
import { type Access, type Book, usePlaygroundKey } from "@/playground/key";
import { SelectField } from "@/ui/Field";

/** Whose money is spent: by the address, play money if it does not say. */
export function useAccess(): Access {
  const session = useSession();
  const book: Book = useSearchParams()[0].get("book") === "live" ? "live" : "test";
  return { book, customer: session.data?.customer?.id ?? "" };
}

/** What can be spent, and what is only set aside: work under way holds far more than it will cost. */
function Owned({ available, held }: { available: string; held: string }) {
  const t = useTexts("playground");
  const amounts = { amount: yuan(available), held: yuan(held) };
  return <span className="block">{t(nanos(held) > 0n ? "availableAndHeld" : "available", amounts)}</span>;
}

/** The choice of a book, and what is to be known about the key with which it is spent. */
export function BookChoice({ access }: { access: Access }) {
  const t = useTexts("playground");
  const common = useTexts("common");
  const key = usePlaygroundKey(access);
  const owned = useBalance().data?.[access.book];
  const [, setSearch] = useSearchParams();

  function choose(book: string): void {
    setSearch(
      (now) => {
        now.set("book", book);
        return now;
      },
      { replace: true },
    );
  }

  return (
    <div className="flex flex-col gap-2">
      <SelectField
        label={t("book")}
        hint={
          <>
            {access.book === "live" ? t("liveHint") : t("testHint")} {owned && <Owned {...owned} />}
          </>
        }
        value={access.book}
        onChange={(event) => choose(event.target.value)}
        options={[
          ["test", common("test")],
          ["live", common("live")],
        ]}
      />
      <p role="status" className="text-xs text-faint">
        {key ? t(key.isReplacement ? "keyReplaced" : "keyMade", { prefix: key.prefix, until: moment(key.expiresAt) }) : t("keyComing")}{" "}
        <Link to={paths.keys()} className="underline">
          {t("manageKeys")}
        </Link>
      </p>
    </div>
  );
}
