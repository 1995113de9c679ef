import { Link, type To } from "react-router";

/** The way up from a page of one thing. */
export function BackLink({ to, children }: { to: To; children: string }) {
  return (
    <Link to={to} className="mb-3 inline-flex items-center gap-1 text-sm text-muted hover:text-ink">
      <span aria-hidden>←</span> {children}
    </Link>
  );
}
