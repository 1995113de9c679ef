import type { ReactNode } from "react";
import { useTitle } from "@/lib/title";

export function Card({ children, className = "" }: { children: ReactNode; className?: string }) {
  return <section className={`rounded-card border border-line bg-surface p-5 ${className}`}>{children}</section>;
}

/** The head of a page: its title, a sentence, and what can be done. */
export function PageHead({ title, lead, actions }: { title: string; lead?: ReactNode; actions?: ReactNode }) {
  useTitle(title);
  return (
    <header className="mb-6 flex flex-wrap items-end justify-between gap-4">
      <div className="min-w-0">
        <h1>{title}</h1>
        {lead && <p className="mt-1 text-muted">{lead}</p>}
      </div>
      {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
    </header>
  );
}

interface EmptyProps {
  title: string;
  /** There is nothing else on the page, which it names. */
  isPage?: boolean;
  children?: ReactNode;
}

/** What is shown where there is nothing yet, and how to begin. */
export function Empty({ title, isPage = false, children }: EmptyProps) {
  return (
    <div className="flex flex-col items-center gap-3 rounded-card border border-dashed border-line px-6 py-14 text-center">
      {isPage ? <h1>{title}</h1> : <p className="font-medium">{title}</p>}
      {children && <div className="text-sm text-muted">{children}</div>}
    </div>
  );
}

/** The shape of what is coming. */
export function Skeleton({ className = "h-4 w-full" }: { className?: string }) {
  return <div aria-hidden className={`animate-pulse rounded-control bg-sunken ${className}`} />;
}

/** A small word about a state. */
export function Badge({ tone = "plain", children }: { tone?: "plain" | "good" | "warn" | "bad" | "accent"; children: ReactNode }) {
  const tones = {
    plain: "bg-sunken text-muted",
    good: "bg-good-soft text-good",
    warn: "bg-warn-soft text-warn",
    bad: "bg-bad-soft text-bad",
    accent: "bg-accent-soft text-accent-ink",
  };
  return <span className={`inline-flex items-center rounded-full px-2 py-0.5 text-xs font-medium ${tones[tone]}`}>{children}</span>;
}
