import { useModels } from "@/api/models";
import { useTexts } from "@/i18n";
import { useFilters } from "@/lib/filters";
import { CardsSkeleton, ModelCard } from "@/pages/models/ModelCard";
import { useNames } from "@/pages/models/names";
import { choices, inOrder, isWanted, OPERATIONS, type Wanted } from "@/pages/models/prices";
import { Button } from "@/ui/Button";
import { Empty, PageHead } from "@/ui/Card";
import { DraftField } from "@/ui/DraftField";
import { SelectField } from "@/ui/Field";
import { LoadProblem } from "@/ui/LoadProblem";
import { Segments } from "@/ui/Segments";

/** The model square: all that is sold. What is looked for is in the address. */
export function Page() {
  const t = useTexts("models");
  const names = useNames();
  const filters = useFilters();
  const found = useModels();
  const all = found.data ?? [];
  const providers = choices(all, (model) => [model.provider]);
  const wanted: Wanted = {
    text: filters.get("q") ?? "",
    operation: filters.pick("operation", OPERATIONS),
    provider: filters.pick("provider", providers),
    capability: filters.pick("capability", choices(all, (model) => model.capabilities)),
  };
  const order = filters.pick("sort", ["price"]) ?? "name";
  const shown = inOrder(all.filter((model) => isWanted(model, wanted)), order);
  const clear = () => filters.change({ q: null, operation: null, provider: null, capability: null });
  const operations = [["", t("all")], ...OPERATIONS.map((one) => [one, names.operation(one)] as const)] as const;
  const capabilities = choices(
    all.filter((model) => wanted.operation === null || isWanted(model, { ...wanted, text: "", provider: null, capability: null })),
    (model) => model.capabilities,
  );
  return (
    <>
      <PageHead title={t("title")} lead={found.data && t("lead", { count: String(all.length) })} />
      <search className="mb-4 flex flex-col gap-4">
        <div>
          <Segments
            label={t("operation")}
            value={wanted.operation ?? ""}
            options={operations}
            onChange={(operation) => filters.change({ operation, capability: null })}
          />
        </div>
        <div className="grid grid-cols-2 gap-3 max-sm:first:*:col-span-2 lg:grid-cols-[minmax(0,2fr)_repeat(3,minmax(0,1fr))]">
          <DraftField
            label={t("search")}
            type="search"
            placeholder={t("searchHint")}
            value={wanted.text}
            onSettled={(q) => filters.change({ q })}
          />
          <SelectField
            label={t("provider")}
            value={wanted.provider ?? ""}
            options={[["", t("anyProvider")], ...providers.map((one) => [one, names.provider(one)] as const)]}
            onChange={(event) => filters.change({ provider: event.target.value })}
          />
          <SelectField
            label={t("capability")}
            value={wanted.capability ?? ""}
            options={[["", t("anyCapability")], ...capabilities.map((one) => [one, names.capability(one)] as const)]}
            onChange={(event) => filters.change({ capability: event.target.value })}
          />
          <SelectField
            label={t("sort")}
            value={order}
            options={[
              ["name", t("byName")],
              ["price", t("byPrice")],
            ]}
            onChange={(event) => filters.change({ sort: event.target.value === "name" ? null : event.target.value })}
          />
        </div>
      </search>
      <p aria-live="polite" className="mb-4 min-h-5 text-sm text-muted">
        {found.data && shown.length < all.length && t("found", { count: String(shown.length) })}
      </p>
      {found.isPending && <CardsSkeleton />}
      {found.isError && <LoadProblem error={found.error} onRetry={() => void found.refetch()} />}
      {found.data && shown.length === 0 && (
        <Empty title={t("none")}>
          <p className="mb-4">{t("noneHint")}</p>
          <Button onClick={clear}>{t("clear")}</Button>
        </Empty>
      )}
      <ul className="grid gap-4 sm:grid-cols-2 xl:grid-cols-3 min-[112rem]:grid-cols-4">
        {shown.map((model) => (
          <ModelCard key={model.llmid} model={model} />
        ))}
      </ul>
    </>
  );
}
