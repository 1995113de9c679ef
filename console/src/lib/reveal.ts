/** Leads to the first control in there that is marked as wrong, and opens what it is folded in. */
export function revealInvalid(root: Element | null): void {
  const found = root?.querySelector<HTMLElement>('[aria-invalid="true"]');
  for (let fold = found?.closest("details"); fold; fold = fold.parentElement?.closest("details")) fold.open = true;
  found?.focus();
}
