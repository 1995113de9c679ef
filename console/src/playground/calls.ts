/** Calls of the published API, with the playground's key. */

import { bodyOf, outcomeOf } from "@/api/answers";
import { ApiError, refusalOf, toApiError } from "@/api/errors";
import { type Access, playgroundKey, replaceKey } from "@/playground/key";

export interface Asked {
  method: "GET" | "POST" | "DELETE";
  path: string;
  /** Sent as JSON, or as a form with files. */
  json?: unknown;
  form?: FormData;
  signal?: AbortSignal;
  /** With the same one, the same is not made twice. */
  idempotencyKey?: string;
}

const REFUSED = 401;

/** The answer of a call that succeeded; a key that is refused is replaced once. Throws `ApiError` or `OfflineError`. */
export async function ask(access: Access, asked: Asked): Promise<Response> {
  const first = await playgroundKey(access);
  let answer = await send(first.key, asked);
  if (answer.status === REFUSED) answer = await send((await replaceKey(access, first.key)).key, asked);
  if (answer.ok) return answer;
  throw await refusalOf(answer, await bodyOf(answer));
}

async function send(key: string, { method, path, json, form, signal, idempotencyKey }: Asked): Promise<Response> {
  const headers: Record<string, string> = { authorization: `Bearer ${key}` };
  if (idempotencyKey !== undefined) headers["idempotency-key"] = idempotencyKey;
  if (json !== undefined) headers["content-type"] = "application/json";
  const body = json === undefined ? (form ?? null) : JSON.stringify(json);
  return outcomeOf(() => fetch(path, { method, headers, body, credentials: "omit", signal: signal ?? null }));
}

/** The same for an answer of JSON. */
export async function askJson<T>(access: Access, asked: Asked): Promise<T> {
  return (await (await ask(access, asked)).json()) as T;
}

/** An error that came inside a stream, as one of an answer. */
export function errorOf(body: unknown): ApiError {
  return toApiError(new Response(null, { status: 200 }), body);
}
