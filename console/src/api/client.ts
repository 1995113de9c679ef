/** The client of the documented API: typed by its description, with the session's cookie and its token. */

import createClient, { type Middleware } from "openapi-fetch";
import { bodyOf, outcomeOf } from "@/api/answers";
import { OtherCustomerError, refusalOf, toApiError } from "@/api/errors";
import type { components, paths } from "@/api/schema";

export type Schemas = components["schemas"];

/** What a page knows of its session: the token that names it, and whose it is. */
interface Known {
  token: string;
  customer: string | null;
}

/** Has the session begun again, if that can be; whether it was. */
type Revival = () => Promise<boolean>;

const TOKEN_HEADER = "x-csrf-token";
let known: Known = { token: "", customer: null };
let revive: Revival | null = null;
let onAnother: (session: Schemas["CurrentSession"]) => boolean = () => false;

/** Take over the token that an answer about the session has given, and whose it is. */
export function keepToken(token: string, customer: string | null): void {
  known = { token, customer };
}

/** What to do when the API says that nobody is signed in any more: calls wait for it, and then go on. */
export function onSessionEnd(revival: Revival): () => void {
  revive = revival;
  return () => {
    if (revive === revival) revive = null;
  };
}

/** Who decides whether what this page shows and does may go on in another session than it knows. */
export function whenSessionChanges(decide: (session: Schemas["CurrentSession"]) => boolean): void {
  onAnother = decide;
}

/** With each request, also those that only read: the API answers nothing of another session than the page knows. */
const withToken: Middleware = {
  onRequest({ request }) {
    request.headers.set(TOKEN_HEADER, known.token);
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
 * The data of an answer; throws `ApiError`, `OfflineError` or `OtherCustomerError`. A call that looks forged, as the
 * session is another one now, is tried again with its token: if it is still the same customer's. One whose session has
 * ended goes on once that has begun again.
 */
export async function call<T>(request: () => Promise<Answer<T>>, { mayAsk = true }: Options = {}): Promise<T> {
  const before = known;
  let answer = await outcomeOf(request);
  if (isForged(answer)) {
    // The token may have come while the call was under way; else it is asked for.
    if (known.token === before.token) await renewToken();
    requireSame(before.customer);
    if (known.token !== before.token) answer = await outcomeOf(request);
  }
  if (answer.response.status === 401 && mayAsk && (await revive?.())) answer = await outcomeOf(request);
  requireSame(before.customer); // what was asked for one customer is nothing to another
  if (answer.response.ok) return answer.data as T;
  throw await refusalOf(answer.response, answer.error);
}

/** As `call`, of a route that also answers files: the document that was asked for. */
export async function callDocument<T>(request: () => Promise<Answer<T>>): Promise<Exclude<T, string>> {
  const data = await call(request);
  if (typeof data === "string") throw new TypeError("a file came that was not asked for");
  return data as Exclude<T, string>;
}

/** A file of the API, byte for byte, and what it is called. */
export function callFile(path: string): Promise<{ content: Blob; name: string }> {
  return call(async () => {
    const response = await fetch(path, { headers: { [TOKEN_HEADER]: known.token }, credentials: "same-origin" });
    if (!response.ok) return { error: await bodyOf(response), response };
    const name = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1] ?? "yuanjing";
    return { data: { content: await response.blob(), name }, response };
  });
}

async function renewToken(): Promise<void> {
  const { data } = await outcomeOf(() => api.GET("/api/auth/session"));
  if (data && !onAnother(data)) throw new OtherCustomerError("somebody else is signed in now");
}

/** Signing in is the one call that begins as nobody's. */
function requireSame(before: string | null): void {
  if (before !== null && known.customer !== null && known.customer !== before) throw new OtherCustomerError("somebody else is signed in now");
}

function isForged(answer: Answer<unknown>): boolean {
  return answer.response.status === 403 && toApiError(new Response(), answer.error).code === "forgery_suspected";
}
