/** What comes of a request, whoever makes it. */

import { OfflineError, toApiError } from "@/api/errors";

/** The outcome of a request; throws `OfflineError` where nobody has answered. */
export async function outcomeOf<T>(request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (error instanceof TypeError) throw new OfflineError("no answer", { cause: error }); // what fetch throws then
    throw error;
  }
}

/** What an answer says: JSON, else its text. */
export async function bodyOf(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return text; // a proxy's page; the status says enough
  }
}

/** What the platform serves beside its API, such as the API's own description: whole, without a session. */
export async function getDocument(address: string): Promise<Response> {
  const answer = await outcomeOf(() => fetch(address));
  if (!answer.ok) throw toApiError(answer, null);
  return answer;
}
