import type { ReactNode } from "react";
import { NavLink } from "react-router";
import { useTexts } from "@/i18n";
import { paths } from "@/paths";
import { PageHead } from "@/ui/Card";

/** The head of each page about money, and the way to the others. */
export function FinanceHead({ title, lead, actions }: { title: string; lead?: ReactNode; actions?: ReactNode }) {
  const t = useTexts("finance");
  const places: [string, string][] = [
    [paths.finance(), t("overview")],
    [paths.orders(), t("orders")],
    [paths.statements(), t("statements")],
  ];
  return (
    <>
      <nav aria-label={t("parts")} className="mb-5 flex gap-1 overflow-x-auto border-b border-line print:hidden">
        {places.map(([to, label]) => (
          <NavLink
            key={to}
            to={to}
            end={to === paths.finance()}
            className={({ isActive }) =>
              `-mb-px border-b-2 px-3 py-2 text-sm whitespace-nowrap ${isActive ? "border-accent font-medium text-ink" : "border-transparent text-muted hover:text-ink"}`
            }
          >
            {label}
          </NavLink>
        ))}
      </nav>
      <PageHead title={title} lead={lead} actions={actions} />
    </>
  );
}
