import { Link } from "react-router";
import type { Model } from "@/api/models";
import { useLanguage, useTexts } from "@/i18n";
import { OperationIcon } from "@/pages/models/OperationIcon";
import { ExampleLine, PriceLine } from "@/pages/models/PriceLine";
import { useNames } from "@/pages/models/names";
import { paths } from "@/paths";
import { Badge, Skeleton } from "@/ui/Card";

/** A model in the square; all of the card is the link to its page. */
export function ModelCard({ model }: { model: Model }) {
  const names = useNames();
  const language = useLanguage();
  const t = useTexts("models");
  const others = model.capabilities.filter((one) => one !== model.operation);
  return (
    <li className="relative flex flex-col gap-3 rounded-card border border-line bg-surface p-5 transition-[border-color,box-shadow] focus-within:border-accent hover:border-accent hover:shadow-raised">
      <div className="flex items-start gap-3">
        <OperationIcon operation={model.operation} />
        <div className="min-w-0">
          <h2 className="text-base leading-snug">
            <Link to={paths.model(model.llmid)} className="after:absolute after:inset-0 after:rounded-card">
              {names.label(model.label)}
            </Link>
          </h2>
          <p className="truncate text-sm text-muted">
            {names.provider(model.provider)} · {names.operation(model.operation)}
          </p>
        </div>
      </div>
      <p className="line-clamp-2 text-sm text-muted">
        {language === "zh" ? model.description_zh || model.description : model.description}
      </p>
      {others.length > 0 && (
        <ul className="flex flex-wrap gap-1.5" aria-label={t("capability")}>
          {others.map((one) => (
            <li key={one}>
              <Badge>{names.capability(one)}</Badge>
            </li>
          ))}
        </ul>
      )}
      <div className="mt-auto flex flex-col gap-2 border-t border-line pt-3">
        {model.video && <ExampleLine model={model} />}
        <PriceLine price={model.price} />
        <code className="truncate font-mono text-xs text-faint">{model.model}</code>
      </div>
    </li>
  );
}

/** Cards that are on their way. */
export function CardsSkeleton() {
  return (
    <div className="grid gap-4 sm:grid-cols-2 xl:grid-cols-3 min-[112rem]:grid-cols-4">
      {Array.from({ length: 6 }, (_, index) => (
        <Skeleton key={index} className="h-56 w-full" />
      ))}
    </div>
  );
}
