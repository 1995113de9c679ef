import { Suspense, useRef, useState } from "react";
import { Link, NavLink, Outlet } from "react-router";
import { useSession } from "@/api/session";
import { chooseLanguage, useLanguage, useTexts } from "@/i18n";
import mark from "@/mark.svg";
import { paths } from "@/paths";
import { Arrival } from "@/shell/Arrival";
import { PageWait } from "@/shell/PageWait";
import { UserButton } from "@/shell/UserButton";
import { Button, ButtonLink } from "@/ui/Button";
import { Skeleton } from "@/ui/Card";

/** The frame of every page: where one is, where one can go, and who one is. */
export function Shell() {
  const t = useTexts("shell");
  const [isOpen, setOpen] = useState(false);
  const content = useRef<HTMLElement>(null);
  const session = useSession();
  const isIn = Boolean(session.data?.customer);
  const name = session.data?.customer?.name || session.data?.customer?.mobile || "";
  const links: [string, string][] = [
    [paths.models(), t("models")],
    [paths.chat(), t("chat")],
    [paths.video(), t("video")],
    ...(isIn
      ? ([
          [paths.keys(), t("keys")],
          [paths.usage(), t("usage")],
          [paths.tasks(), t("tasks")],
        ] satisfies [string, string][])
      : []),
    [paths.guide(), t("guide")],
  ];
  return (
    <div className="flex min-h-dvh flex-col">
      <a href="#content" className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:bg-surface focus:p-3">
        {t("skip")}
      </a>
      <header className="print:hidden sticky top-0 z-30 border-b border-line bg-surface">
        <div className="mx-auto flex min-h-14 w-full max-w-frame flex-wrap items-center gap-x-2 gap-y-2 px-4 sm:gap-x-6">
          <Link to={paths.home()} className="flex items-center gap-2 font-semibold">
            <img src={mark} alt="" className="size-7" />
            {t("product")}
          </Link>
          <Button
            tone="quiet"
            className="ml-auto lg:hidden"
            aria-expanded={isOpen}
            aria-controls="navigation"
            onClick={() => setOpen(!isOpen)}
          >
            {t("menu")}
          </Button>
          <nav
            id="navigation"
            aria-label={t("navigation")}
            className={`${isOpen ? "flex" : "hidden"} w-full flex-col gap-1 pb-3 lg:flex lg:w-auto lg:flex-1 lg:flex-row lg:pb-0`}
          >
            {links.map(([to, label]) => (
              <NavLink
                key={to}
                to={to}
                onClick={() => setOpen(false)}
                className={({ isActive }) =>
                  `rounded-control px-3 py-2 text-sm ${isActive ? "bg-accent-soft font-medium text-accent-ink" : "text-muted hover:bg-sunken hover:text-ink"}`
                }
              >
                {label}
              </NavLink>
            ))}
          </nav>
          <div className="flex items-center gap-2">
            {isIn ? (
              <UserButton name={name} />
            ) : (
              <Guest />
            )}
          </div>
        </div>
        <PageWait />
      </header>
      <Arrival at={content} />
      <main ref={content} id="content" tabIndex={-1} className="mx-auto w-full max-w-frame flex-1 px-4 py-8 outline-none">
        <Suspense fallback={<Skeleton className="h-64 w-full" />}>
          <Outlet />
        </Suspense>
      </main>
      <footer className="print:hidden border-t border-line text-sm text-muted">
        <div className="mx-auto flex w-full max-w-frame flex-wrap items-center justify-between gap-x-6 gap-y-1 px-4 py-4">
          <p>{t("footer")}</p>
          <Link to={paths.reference()} className="py-1 hover:text-ink hover:underline">
            {t("reference")}
          </Link>
        </div>
      </footer>
    </div>
  );
}

function Guest() {
  const t = useTexts("shell");
  const language = useLanguage();
  return (
    <>
      <Button tone="quiet" lang={language === "zh" ? "en" : "zh"} onClick={() => void chooseLanguage(language === "zh" ? "en" : "zh")}>
        {language === "zh" ? "English" : "中文"}
      </Button>
      <ButtonLink to={paths.signIn()} tone="primary">
        {t("signIn")}
      </ButtonLink>
    </>
  );
}
