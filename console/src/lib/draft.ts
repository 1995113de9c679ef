import { useEffect, useRef, useState } from "react";

/** So long a field rests before what is written in it counts, in milliseconds. */
export const REST_MS = 250;

/**
 * What is being written in a field, apart from what counts: that follows when the field rests, is left, or Enter is
 * pressed, and never while a character is being composed. A value from elsewhere replaces what is written.
 */
export function useDraft(value: string, onSettled: (value: string) => void, restMs = REST_MS) {
  const [text, setText] = useState(value);
  const [seen, setSeen] = useState(value);
  const isComposing = useRef(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const settled = useRef(onSettled);
  const told = useRef(value);

  useEffect(() => {
    settled.current = onSettled;
  });
  useEffect(() => () => clearTimeout(timer.current), []);
  if (value !== seen) {
    setSeen(value);
    if (value !== told.current) setText(value);
  }

  function settle(next: string): void {
    clearTimeout(timer.current);
    if (next === told.current && next === value) return;
    told.current = next;
    settled.current(next);
  }

  function rest(next: string): void {
    clearTimeout(timer.current);
    if (!isComposing.current) timer.current = setTimeout(() => settle(next), restMs);
  }

  return {
    value: text,
    onChange: (event: { target: { value: string } }) => {
      setText(event.target.value);
      rest(event.target.value);
    },
    onCompositionStart: () => {
      isComposing.current = true;
      clearTimeout(timer.current);
    },
    onCompositionEnd: (event: { currentTarget: { value: string } }) => {
      isComposing.current = false;
      setText(event.currentTarget.value);
      rest(event.currentTarget.value);
    },
    onBlur: () => settle(text),
    onKeyDown: (event: { key: string }) => {
      if (event.key === "Enter" && !isComposing.current) settle(text);
    },
  };
}
