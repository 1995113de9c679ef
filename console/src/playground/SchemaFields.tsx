import { useLanguage, useTexts } from "@/i18n";
import { type Field, isWithin, kindOf, labelOf, valueOf } from "@/playground/schema";
import { SelectField, TextArea, TextField } from "@/ui/Field";

/** What leaves a length to the model. */
const PROVIDER_CHOOSES = -1;

/** What somebody has typed or chosen, by the names of the fields. */
export type Typed = Readonly<Record<string, string>>;

interface SchemaFieldProps {
  field: Field;
  typed: string;
  onType: (typed: string) => void;
  /** What the API has said about it. */
  problem?: string | null;
}

/** The control of one field, as its schema has it. */
export function SchemaField({ field, typed, onType, problem = null }: SchemaFieldProps) {
  const t = useTexts("playground");
  const common = useTexts("common");
  const language = useLanguage();
  const own = useFieldProblem()(field, typed);
  const kind = kindOf(field);
  const isOptional = !field.isRequired && field.default === undefined;
  const shared = {
    label: `${labelOf(field, language)}${isOptional ? ` (${common("optional")})` : ""}`,
    problem: own ?? problem,
    required: field.isRequired,
    value: field.enum && typed === String(field.default) ? "" : typed, // the default's own option has no value
  };
  const open = field.default === undefined ? t("modelChooses") : `${shownValue(field.default, t)} (${t("usesDefault")})`;

  if (kind === "choice" || kind === "switch") {
    const values = kind === "switch" ? [true, false] : (field.enum ?? []);
    const others = values.filter((one) => one !== field.default);
    return (
      <SelectField
        {...shared}
        options={[["", open], ...others.map((one) => [String(one), shownValue(one, t)] as const)]}
        onChange={(event) => onType(event.target.value)}
      />
    );
  }
  if (kind === "number" || kind === "integer")
    return (
      <TextField
        {...shared}
        hint={rangeOf(field)}
        inputMode={kind === "integer" ? "numeric" : "decimal"}
        placeholder={field.default === undefined ? "" : String(field.default)}
        onChange={(event) => onType(event.target.value)}
      />
    );
  return <TextArea {...shared} rows={field.isRequired ? 4 : 2} maxLength={field.maxLength} onChange={(event) => onType(event.target.value)} />;
}

/** What is wrong with what was typed; null if nothing is. */
export function useFieldProblem(): (field: Field, typed: string) => string | null {
  const t = useTexts("playground");
  return (field, typed) => {
    if (typed.trim() === "") return null;
    const value = valueOf(field, typed);
    if (value === null) return t("notNumber");
    if (isWithin(field, value)) return null;
    return field.maxLength !== undefined ? t("tooLong", { count: field.maxLength }) : t("outOfRange", { range: rangeOf(field) ?? "" });
  };
}

function rangeOf({ minimum, maximum }: Field): string | undefined {
  if (minimum === undefined && maximum === undefined) return undefined;
  return maximum === undefined ? `≥ ${minimum}` : `${minimum ?? "…"} – ${maximum}`;
}

function shownValue(value: string | number | boolean, t: ReturnType<typeof useTexts<"playground">>): string {
  if (value === PROVIDER_CHOOSES) return t("modelChooses");
  return typeof value === "boolean" ? t(value ? "yes" : "no") : String(value);
}
