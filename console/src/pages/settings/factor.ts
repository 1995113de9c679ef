/** What somebody has typed as a second factor: digits of the authenticator, or a recovery code. */
export function secondFactor(typed: string): { totp: string } | { recovery_code: string } {
  const text = typed.normalize("NFKC").trim();
  return /^\d{3} ?\d{3}$/.test(text) ? { totp: text.replace(" ", "") } : { recovery_code: text };
}
