/** The client of the documented API: typed by its description, with the session's cookie and its token. */

import createClient, { type Middleware } from "openapi-fetch";
import { OfflineError, toApiError } from "@/api/errors";
import type { components, paths } from "@/api/schema";

export type Schemas = components["schemas"];

/** Has the session begun again, if that can be; whether it was. */
type Revival = () => Promise<boolean>;

let csrfToken = "";
let revive: Revival | null = null;

/** Take over the token that the last answer about the session has given. */
export function keepToken(token: string): void {
  csrfToken = token;
}

/** What to do when the API says that nobody is signed in any more: calls wait for it, and then go on. */
export function onSessionEnd(revival: Revival): () => void {
  revive = revival;
  return () => {
    if (revive === revival) revive = null;
  };
}

const withToken: Middleware = {
  onRequest({ request }) {
    if (request.method !== "GET") request.headers.set("x-csrf-token", csrfToken);
    return request;
  },
};

export const api = createClient<paths>({ baseUrl: "/", credentials: "same-origin" });
api.use(withToken);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

interface Options {
  /** Whether somebody may be asked to sign in again for it. */
  mayAsk?: boolean;
}

/**
 * The data of an answer; throws `ApiError` or `OfflineError`. A forged-looking call is tried again with a new token, and one
 * whose session has ended once that has begun again.
 */
export async function call<T>(request: () => Promise<Answer<T>>, { mayAsk = true }: Options = {}): Promise<T> {
  const before = csrfToken;
  let answer = await attempt(request);
  const isForged = answer.response.status === 403 && codeOf(answer.error) === "forgery_suspected";
  // The token may have come while the call was under way; else it is asked for.
  if (isForged && (csrfToken !== before || (await renewToken()))) answer = await attempt(request);
  if (answer.response.status === 401 && mayAsk && (await revive?.())) answer = await attempt(request);
  if (answer.response.ok) return answer.data as T;
  throw toApiError(answer.response, answer.error);
}

/** As `call`, of a route that also answers files: the document that was asked for. */
export async function callDocument<T>(request: () => Promise<Answer<T>>): Promise<Exclude<T, string>> {
  const data = await call(request);
  if (typeof data === "string") throw new TypeError("a file came that was not asked for");
  return data as Exclude<T, string>;
}

async function attempt<T>(request: () => Promise<Answer<T>>): Promise<Answer<T>> {
  try {
    return await request();
  } catch (error) {
    if (error instanceof TypeError) throw new OfflineError("no answer", { cause: error }); // what fetch throws then
    throw error;
  }
}

async function renewToken(): Promise<boolean> {
  const { data } = await api.GET("/api/auth/session");
  if (!data || data.csrf_token === csrfToken) return false;
  csrfToken = data.csrf_token;
  return true;
}

function codeOf(body: unknown): string {
  return toApiError(new Response(), body).code;
}
