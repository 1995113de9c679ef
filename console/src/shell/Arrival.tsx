import { type RefObject, useEffect, useRef, useState } from "react";
import { useLocation, useNavigationType } from "react-router";
import { usePageTitle } from "@/lib/title";

/** Another page has come: the focus goes to it, as a browser would have it, and its name is told aloud. */
export function Arrival({ at: main }: { at: RefObject<HTMLElement | null> }) {
  const { pathname } = useLocation();
  const isBack = useNavigationType() === "POP";
  const title = usePageTitle();
  const last = useRef(pathname);
  const [isTold, setTold] = useState(false);
  useEffect(() => {
    if (last.current === pathname) return;
    last.current = pathname;
    setTold(true);
    const place = main.current;
    if (!place || place.contains(document.activeElement)) return; // a field of the page has it already
    place.focus({ preventScroll: true });
    if (!isBack) scrollTo(0, 0); // the browser knows where one was before
  }, [pathname, main, isBack]);
  return (
    <p aria-live="polite" className="sr-only">
      {isTold && title}
    </p>
  );
}
