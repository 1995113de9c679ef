import type { Model } from "@/api/models";
import { useLanguage, useTexts } from "@/i18n";
import { count } from "@/lib/numbers";
import { type Shown, typeOf, withNested } from "@/pages/models/nested";
import { fieldsOf, labelOf, type Schema } from "@/playground/schema";
import { Badge } from "@/ui/Card";
import { type Column, Table } from "@/ui/Table";

/** What a request may have, out of the offer's schema; what few need is folded. */
export function ParameterTable({ model }: { model: Model }) {
  const t = useTexts("models");
  const schema = model.parameters as Schema; // JSON Schema, as the API promises
  const inOrder: Shown[] = fieldsOf(schema, {});
  const fields = schema["x-order"] ? inOrder : inOrder.toSorted((a, b) => Number(b.isRequired) - Number(a.isRequired));
  const usual = fields.filter((field) => !field["x-advanced"]);
  const further = fields.filter((field) => field["x-advanced"]);
  return (
    <>
      <p className="mb-3 text-sm text-muted">
        {t(model.operation === "chat" ? "parametersLead" : "parametersLeadVideo")}{" "}
        {schema.allOf?.some((rule) => rule.if) && t("variants")}
      </p>
      <Fields fields={usual} label={t("parameters")} />
      {further.length > 0 && (
        <details className="mt-3">
          <summary className="min-h-9 cursor-pointer py-2 text-sm font-medium text-accent-ink">
            {t("advanced", { count: String(further.length) })}
          </summary>
          <Fields fields={further} label={t("advanced", { count: String(further.length) })} />
        </details>
      )}
    </>
  );
}

function Fields({ fields, label }: { fields: readonly Shown[]; label: string }) {
  const t = useTexts("models");
  const language = useLanguage();
  const values = useValues();
  const columns: Column<Shown>[] = [
    {
      key: "name",
      head: t("field"),
      isName: true,
      cell: (field) => (
        <span className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <code className="font-mono text-[0.8125rem]">{field.name}</code>
          {field.isRequired && <Badge tone="warn">{t("required")}</Badge>}
        </span>
      ),
    },
    { key: "type", head: t("type"), cell: (field) => <span className="text-muted">{typeOf(field)}</span> },
    {
      key: "meaning",
      head: t("description"),
      cell: (field) => (
        <>
          <span className="block sm:min-w-28 lg:min-w-36">{labelOf({ ...field, name: "—" }, language)}</span>
          {field["x-aliases"] && (
            <span className="block text-xs break-words text-faint">{t("aliases", { names: field["x-aliases"].join(", ") })}</span>
          )}
        </>
      ),
    },
    { key: "default", head: t("default"), cell: (field) => code(field.default) },
    { key: "values", head: t("values"), cell: (field) => <span className="block break-words sm:min-w-36 lg:min-w-44">{values(field)}</span> },
  ];
  return <Table label={label} columns={columns} rows={withNested(fields)} rowKey={(field) => field.name} />;
}

function code(value: unknown) {
  return value === undefined ? "—" : <code className="font-mono text-[0.8125rem]">{JSON.stringify(value)}</code>;
}

/** What a field may be, in words. */
function useValues(): (field: Shown) => string {
  const t = useTexts("models");
  return (field) => {
    if (field.enum) return field.enum.map(String).join(", ");
    if (typeof field.const === "string") return field.const;
    const parts: string[] = [];
    const { minimum: min, maximum: max } = field;
    if (min !== undefined && max !== undefined) parts.push(t("rangeBoth", { min: String(min), max: count(max) }));
    else if (min !== undefined) parts.push(t("rangeMin", { min: String(min) }));
    else if (max !== undefined) parts.push(t("rangeMax", { max: count(max) }));
    if (field.exclusiveMinimum !== undefined) parts.push(t("above", { count: String(field.exclusiveMinimum) }));
    if (field.maxLength !== undefined) parts.push(t("charactersMax", { count: count(field.maxLength) }));
    if (field.minItems !== undefined) parts.push(t("itemsMin", { count: count(field.minItems) }));
    if (field.maxItems !== undefined && field["x-role"]) parts.push(t("filesMax", { count: count(field.maxItems) }));
    return parts.join(" · ") || "—";
  };
}
