/** What is typed where digits are wanted: also those of full width, which Chinese input methods write. */
export function digitsOf(typed: string, most: number): string {
  return typed.normalize("NFKC").replace(/\D/g, "").slice(0, most);
}
