import { OfflineError, toApiError } from "@/api/errors";

/** What the platform serves beside its API, such as the API's own description: whole, without a session. */
export async function getDocument(address: string): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(address);
  } catch (error) {
    throw new OfflineError("no answer", { cause: error });
  }
  if (!answer.ok) throw toApiError(answer, null);
  return answer;
}
