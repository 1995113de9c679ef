/** What the API refuses with, in one shape whatever the dialect. */

import { loadReasons } from "@/i18n/reasons";

/** An answer that is no success. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** When it came, in milliseconds. */
  readonly at = Date.now();

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** The field or header that is to be changed, if it is one. */
    readonly param: string | null = null,
    /** Seconds to wait before the next attempt. */
    readonly retryAfter: number | null = null,
    readonly requestId: string | null = null,
  ) {
    super(message);
  }
}

/** There is no such thing, or none that one may see. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/**
 * What a dialog over the page asks about by itself, so that it is not told as an error as well: nobody is signed in any
 * more, somebody else is, or somebody did not want to show who they are.
 */
export function isToldElsewhere(error: unknown): boolean {
  if (error instanceof OtherCustomerError || error instanceof NotConfirmedError) return true;
  return error instanceof ApiError && error.code === "not_signed_in";
}

/** Somebody has closed the dialog instead of proving who they are; nothing has happened. */
export class NotConfirmedError extends Error {
  override readonly name = "NotConfirmedError";
}

/** Somebody else is signed in now, in another window; nothing was done, and nothing of theirs is shown. */
export class OtherCustomerError extends Error {
  override readonly name = "OtherCustomerError";
}

/** Nobody has answered: no network, or no server. */
export class OfflineError extends Error {
  override readonly name = "OfflineError";
}

interface Said {
  code?: unknown;
  message?: unknown;
  param?: unknown;
  type?: unknown;
}

interface Body {
  /** llmage has a text only. */
  error?: Said | string;
  message?: unknown;
}

const text = (value: unknown): string | null => (typeof value === "string" && value ? value : null);

/** The error of an answer, once there are words for its reason. */
export async function refusalOf(response: Response, body: unknown): Promise<ApiError> {
  const error = toApiError(response, body);
  if (error.code === "invalid_parameter") await loadReasons();
  return error;
}

/** The error of an answer: of the console's dialect, OpenAI's, or llmage's. */
export function toApiError(response: Response, body: unknown): ApiError {
  const found = (typeof body === "object" && body !== null ? body : {}) as Body;
  const error = typeof found.error === "string" ? { message: found.error } : (found.error ?? {});
  const wait = Number(response.headers.get("retry-after"));
  return new ApiError(
    response.status,
    text(error.code) ?? text(error.type) ?? `http_${response.status}`,
    text(error.message) ?? text(found.message) ?? `${response.status} ${response.statusText}`,
    text(error.param),
    wait > 0 ? wait : null,
    response.headers.get("x-request-id"),
  );
}
