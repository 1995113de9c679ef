import type { ComponentProps } from "react";
import { useDraft } from "@/lib/draft";
import { TextField } from "@/ui/Field";

interface DraftProps
  extends Omit<ComponentProps<typeof TextField>, "value" | "onChange" | "onBlur" | "onKeyDown" | "onCompositionStart" | "onCompositionEnd"> {
  value: string;
  /** Told when the field rests or is left, not on each key. */
  onSettled: (value: string) => void;
}

/** A field of a filter: what counts is in the address, what is being written is its own. */
export function DraftField({ value, onSettled, ...rest }: DraftProps) {
  return <TextField {...rest} {...useDraft(value, onSettled)} />;
}

/** A date has many values on its way to the one that is meant: the year 0202 comes before 2026. */
const DATE_REST_MS = 900;

export function DateField({ value, onSettled, ...rest }: Omit<DraftProps, "type">) {
  return <TextField {...rest} type="date" {...useDraft(value, onSettled, DATE_REST_MS)} />;
}
