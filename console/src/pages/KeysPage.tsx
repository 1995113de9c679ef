import { useState } from "react";
import { changeKey, createKey, type Key, type NewKey, useKeys } from "@/api/keys";
import { useTexts } from "@/i18n";
import { useFilters } from "@/lib/filters";
import { bodyOf, changesOf, draftOf, EMPTY } from "@/pages/keys/draft";
import { KeyForm } from "@/pages/keys/KeyForm";
import { KeyTable } from "@/pages/keys/KeyTable";
import { NewKeyDialog } from "@/pages/keys/NewKeyDialog";
import { RevokeDialog } from "@/pages/keys/RevokeDialog";
import { Button } from "@/ui/Button";
import { Empty, PageHead } from "@/ui/Card";
import { Dialog } from "@/ui/Dialog";
import { CheckField } from "@/ui/Field";
import { Loaded } from "@/ui/Loaded";
import { TableSkeleton } from "@/ui/Table";

/** The customer's API keys. `?new=1` opens the form, so that other pages can lead to it. */
export function Page() {
  const t = useTexts("keys");
  const common = useTexts("common");
  const filters = useFilters();
  const keys = useKeys();
  const [made, setMade] = useState<NewKey | null>(null);
  const [changing, setChanging] = useState<Key | null>(null);
  const [revoking, setRevoking] = useState<Key | null>(null);
  const isAll = filters.get("show") === "all";
  const all = keys.data?.pages.flatMap((page) => page.data) ?? [];
  const shown = isAll ? all : all.filter((key) => key.state === "active");
  const open = () => filters.change({ new: "1" });

  return (
    <>
      <PageHead
        title={t("title")}
        lead={t("lead")}
        actions={
          <Button tone="primary" onClick={open}>
            {t("create")}
          </Button>
        }
      />
      {all.some((key) => key.state !== "active") && (
        <div className="mb-3">
          <CheckField label={t("showAll")} checked={isAll} onChange={(event) => filters.change({ show: event.target.checked ? "all" : null })} />
        </div>
      )}
      <Loaded of={keys} skeleton={<TableSkeleton />}>
        {() =>
          shown.length > 0 ? (
            <KeyTable rows={shown} markedId={made?.id} onChange={setChanging} onRevoke={setRevoking} />
          ) : (
            <Empty title={all.length > 0 ? t("noneActive") : t("none")}>
              <p className="mb-4">{all.length > 0 ? t("noneActiveHint") : t("noneHint")}</p>
              <Button onClick={open}>{t("create")}</Button>
            </Empty>
          )
        }
      </Loaded>
      {keys.hasNextPage && (
        <div className="mt-4 flex justify-center">
          <Button isBusy={keys.isFetchingNextPage} onClick={() => void keys.fetchNextPage()}>
            {common("more")}
          </Button>
        </div>
      )}
      <Dialog isOpen={filters.get("new") !== null} isSticky onClose={() => filters.change({ new: null })} title={t("create")}>
        <KeyForm
          first={EMPTY}
          isNew
          submitLabel={t("create")}
          onCancel={() => filters.change({ new: null })}
          onSubmit={async (draft) => {
            setMade(await createKey(bodyOf(draft)));
            filters.change({ new: null });
          }}
        />
      </Dialog>
      <NewKeyDialog made={made} onClose={() => setMade(null)} />
      {changing && (
        <Dialog isOpen isSticky onClose={() => setChanging(null)} title={t("changeTitle")}>
          <KeyForm
            first={draftOf(changing)}
            isNew={false}
            submitLabel={common("save")}
            onCancel={() => setChanging(null)}
            onSubmit={async (draft) => {
              await changeKey(changing.id, changesOf(draftOf(changing), draft));
              setChanging(null);
            }}
          />
        </Dialog>
      )}
      <RevokeDialog of={revoking} onClose={() => setRevoking(null)} />
    </>
  );
}
