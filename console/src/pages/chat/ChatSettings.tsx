import { useTexts } from "@/i18n";
import { chatFields, invalidFields } from "@/pages/chat/parameters";
import { useNames } from "@/pages/models/names";
import { BookChoice } from "@/playground/BookChoice";
import type { Access } from "@/playground/key";
import type { Offer } from "@/playground/offers";
import { SchemaField, type Typed, useFieldProblem } from "@/playground/SchemaFields";
import { Button } from "@/ui/Button";
import { SelectField, TextArea } from "@/ui/Field";

const COLUMNS_MAX = 3;

interface ChatSettingsProps {
  access: Access;
  offers: readonly Offer[];
  chosen: readonly Offer[];
  onChoose: (models: readonly string[]) => void;
  system: string;
  onSystem: (text: string) => void;
  typed: Typed;
  onType: (typed: Typed) => void;
}

/** Who answers, and how. */
export function ChatSettings(props: ChatSettingsProps) {
  const t = useTexts("chat");
  const common = useTexts("playground");
  const fields = chatFields(props.chosen);
  const invalid = invalidFields(props.chosen, props.typed);
  const problemIn = useFieldProblem();
  /** What another model than the first that has the field says about it. */
  const ofAnother = (name: string): string | null => {
    const found = invalid.find((one) => one.field.name === name);
    return found ? `${found.offer.label}: ${problemIn(found.field, props.typed[name] ?? "")}` : null;
  };
  const control = (field: (typeof fields)[number]) => (
    <SchemaField
      key={field.name}
      field={field}
      typed={props.typed[field.name] ?? ""}
      problem={ofAnother(field.name)}
      onType={(text) => props.onType({ ...props.typed, [field.name]: text })}
    />
  );
  return (
    <div className="flex flex-col gap-5">
      <ModelChoice {...props} />
      <BookChoice access={props.access} />
      <TextArea
        label={t("system")}
        placeholder={t("systemHint")}
        rows={3}
        value={props.system}
        onChange={(event) => props.onSystem(event.target.value)}
      />
      {fields.filter((one) => !one["x-advanced"]).map(control)}
      <details>
        <summary className="cursor-pointer text-sm font-medium text-muted">{common("advanced")}</summary>
        <div className="mt-4 flex flex-col gap-4">{fields.filter((one) => one["x-advanced"]).map(control)}</div>
      </details>
    </div>
  );
}

function ModelChoice({ offers, chosen, onChoose }: ChatSettingsProps) {
  const t = useTexts("chat");
  const playground = useTexts("playground");
  const models = chosen.map((one) => one.model);
  const names = useNames();
  const options = offers.map((one) => [one.model, `${names.label(one.label)} · ${names.provider(one.provider)}`] as const);
  const next = offers.find((one) => !models.includes(one.model));
  return (
    <div className="flex flex-col gap-3">
      {models.map((model, column) => (
        <div key={column} className="flex items-end gap-2">
          <div className="min-w-0 flex-1">
            <SelectField
              label={models.length > 1 ? t("modelNumber", { number: column + 1 }) : playground("model")}
              value={model}
              onChange={(event) => onChoose(models.with(column, event.target.value))}
              options={options}
            />
          </div>
          {models.length > 1 && (
            <Button
              tone="quiet"
              aria-label={t("removeModel", { number: column + 1 })}
              onClick={() => onChoose(models.toSpliced(column, 1))}
            >
              ✕
            </Button>
          )}
        </div>
      ))}
      {models.length < COLUMNS_MAX && next && (
        <Button onClick={() => onChoose([...models, next.model])}>+ {t("addModel")}</Button>
      )}
    </div>
  );
}
