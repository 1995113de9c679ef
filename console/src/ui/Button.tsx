import type { ComponentProps } from "react";
import { Link, type To } from "react-router";

export type Tone = "primary" | "plain" | "quiet" | "danger";

const TONES: Record<Tone, string> = {
  primary: "bg-accent text-on-accent hover:brightness-110",
  plain: "border border-line bg-surface text-ink hover:bg-sunken",
  quiet: "text-muted hover:bg-sunken hover:text-ink",
  danger: "bg-bad text-on-bad hover:brightness-110",
};

/** The looks of a button, also for links that act as one. */
export function buttonClass(tone: Tone = "plain", extra = ""): string {
  return `inline-flex min-h-9 items-center justify-center gap-2 rounded-control px-3.5 text-sm font-medium transition-[filter,background-color] disabled:cursor-not-allowed disabled:opacity-55 aria-disabled:cursor-not-allowed aria-disabled:opacity-55 ${TONES[tone]} ${extra}`;
}

interface ButtonProps extends ComponentProps<"button"> {
  tone?: Tone;
  /** Work is under way: it cannot be pressed again. */
  isBusy?: boolean;
}

const ignore = (event: { preventDefault: () => void }): void => event.preventDefault();

/** While it is busy it only seems disabled: one that is takes the focus away from who has pressed it. */
export function Button({ tone = "plain", isBusy = false, className = "", children, onClick, "aria-disabled": isHeld, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      onClick={isBusy ? ignore : onClick}
      aria-disabled={isBusy || isHeld || undefined}
      aria-busy={isBusy || undefined}
      className={buttonClass(tone, className)}
    >
      {isBusy && <Spinner />}
      {children}
    </button>
  );
}

export function ButtonLink({ to, tone = "plain", className = "", children }: { to: To; tone?: Tone; className?: string; children: React.ReactNode }) {
  return (
    <Link to={to} className={buttonClass(tone, className)}>
      {children}
    </Link>
  );
}

export function Spinner() {
  return <span aria-hidden className="size-4 animate-spin rounded-full border-2 border-current border-r-transparent" />;
}
