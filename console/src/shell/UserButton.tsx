import { lazy, Suspense, useState } from "react";
import { loadPart } from "@/shell/loading";

export const userButtonClass = "flex min-h-9 max-w-28 items-center gap-2 rounded-control px-3 text-sm hover:bg-sunken sm:max-w-44";

export function UserName({ name }: { name: string }) {
  return (
    <>
      <span className="truncate">{name}</span>
      <span aria-hidden>▾</span>
    </>
  );
}

const load = () => loadPart(() => import("@/shell/UserMenu"));
const UserMenu = lazy(async () => ({ default: (await load()).UserMenu }));

/** Who one is. The menu under it is fetched when it is asked for: it is more than any page's own script. */
export function UserButton({ name }: { name: string }) {
  const [isWanted, setWanted] = useState(false);
  const button = (
    <button
      type="button"
      aria-haspopup="menu"
      aria-expanded={isWanted}
      className={userButtonClass}
      onClick={() => setWanted(true)}
      onPointerEnter={() => void load().catch(() => undefined)} // a click tells what is wrong
    >
      <UserName name={name} />
    </button>
  );
  if (!isWanted) return button;
  return (
    <Suspense fallback={button}>
      <UserMenu name={name} isOpen />
    </Suspense>
  );
}
