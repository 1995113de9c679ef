/** Errors in the language of the page: the console's words for the API's codes, and the API's own for those it has none for. */

import i18next from "i18next";
import { ApiError } from "@/api/errors";
import { reasonInChinese } from "@/ui/reasonWords";

/** Their message says more than the code: which parameter, which limit, whose words. */
const DETAILED: ReadonlySet<string> = new Set([
  "already_exists",
  "context_length_exceeded",
  "invalid_parameter",
  "invalid_request",
  "missing_required_parameter",
  "model_not_found",
  "undeliverable_files",
  "unknown_llmid",
  "unsupported_operation",
  "unsupported_parameter",
  "weak_password",
]);

/** A fault without words of the platform, only its status: whoever stands before it has answered in its place. */
function isUnanswered({ status, code, message }: ApiError): boolean {
  return status >= 500 && code === `http_${status}` && message.startsWith(`${status} `);
}

export interface ProblemWords {
  text: string;
  /** The API's own words, in English, where they say more and are not the text already. */
  original: string | null;
}

type Values = Record<string, string | number>;

/** Of the area `errors`; null before it is loaded, or if it has no such text. */
function told(key: string, values: Values = {}): string | null {
  return i18next.exists(key, { ns: "errors" }) ? i18next.getFixedT(null, "errors")(key, values) : null;
}

/** What a refusal is about, without the names of fields that people do not see. */
function reasonOf(error: ApiError): string {
  const named = error.message.replace(/^Invalid parameter: /, "");
  const hasName = error.param !== null && [": ", "; "].some((sign) => named.startsWith(`${error.param}${sign}`));
  return hasName ? named.slice((error.param?.length ?? 0) + 2) : named;
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Why a value is not taken, in Chinese; null where that is no reason of the API that is known. */
function reasonTold(error: ApiError): string | null {
  return error.code === "invalid_parameter" ? reasonInChinese(reasonOf(error)) : null;
}

const speaksEnglish = (): boolean => i18next.language !== "zh";

/** An error for a part of a page. */
export function problemWords(error: ApiError): ProblemWords {
  const isDetailed = DETAILED.has(error.code);
  if (isDetailed && speaksEnglish()) return { text: error.message, original: null };
  const reason = reasonTold(error);
  if (reason !== null) return { text: told("because", { param: error.param ?? "", reason }) ?? reason, original: null };
  const text = told(error.code, { param: error.param ?? "" });
  if (text !== null) return { text, original: isDetailed ? error.message : null };
  if (isUnanswered(error)) return { text: told("unanswered") ?? error.message, original: null };
  if (speaksEnglish()) return { text: error.message, original: null };
  return { text: told("unknown", { status: error.status }) ?? error.message, original: error.message };
}

/** The same beside the field that it names, where the field's name need not be said. */
export function fieldWords(error: ApiError): string {
  if (DETAILED.has(error.code) && speaksEnglish()) return sentence(reasonOf(error));
  const reason = reasonTold(error);
  if (reason !== null) return `${reason}。`;
  const field = error.param?.split(".")[0] ?? "";
  return told(`${error.code}:${field}`) ?? told(`${error.code}:`) ?? problemWords(error).text;
}

/** Why a video task has not succeeded. */
export function taskWords({ code, reason = code, message }: { code: string; reason?: string; message: string }): string {
  return (speaksEnglish() ? null : told(`task:${reason}`)) ?? message;
}
