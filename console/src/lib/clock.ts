/** Time that runs while one looks. */

import { useEffect, useState } from "react";

const STEP_MS = 250;

/** Whole seconds until a moment in milliseconds; 0 when it has come, or there is none. */
export function useSecondsUntil(moment: number | null): number {
  const [now, setNow] = useState(Date.now);
  const left = moment === null ? 0 : Math.max(0, Math.ceil((moment - Math.max(now, Date.now())) / 1000));
  useEffect(() => {
    if (left === 0) return;
    const timer = setTimeout(() => setNow(Date.now()), STEP_MS);
    return () => clearTimeout(timer);
  }, [left, now]);
  return left;
}

/** Whole seconds since a moment in milliseconds, while there is one; clocks that differ make no negative ones. */
export function useSecondsSince(moment: number | null): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (moment === null) return;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [moment]);
  return moment === null ? 0 : Math.max(0, Math.floor((now - moment) / 1000));
}
