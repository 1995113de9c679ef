/** Copying, also over plain HTTP, where browsers keep `navigator.clipboard` from pages of other machines. */

/**
 * Copy a text; whether that was possible. The old way needs a field with the focus: it is put beside `near`, since a
 * dialog lets the focus go nowhere else.
 */
export async function copyText(text: string, near: Element): Promise<boolean> {
  const { clipboard } = navigator as { clipboard?: Clipboard };
  try {
    await clipboard?.writeText(text);
    if (clipboard) return true;
  } catch {
    // refused, such as for want of a permission: the old way may still be open
  }
  return copyBySelection(text, near);
}

function copyBySelection(text: string, near: Element): boolean {
  const before = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.readOnly = true; // no keyboard on phones
  field.setAttribute("aria-hidden", "true");
  field.className = "sr-only";
  near.after(field);
  field.select();
  try {
    return document.execCommand("copy");
  } finally {
    field.remove();
    if (before instanceof HTMLElement) before.focus();
  }
}
