import i18next from "i18next";
import { beforeAll, describe, expect, it } from "vitest";
import { ApiError, toApiError } from "@/api/errors";
import { errors } from "@/i18n/areas/errors";
import { loadReasons } from "@/i18n/reasons";
import { fieldWords, problemWords, taskWords } from "@/ui/problemWords";

const texts = (place: 0 | 1) => ({ errors: Object.fromEntries(Object.entries(errors).map(([key, text]) => [key, text[place]])) });
const mobile = new ApiError(400, "invalid_parameter", "mobile: not a number in use; write it like 13800138000", "mobile");
const seconds = new ApiError(400, "invalid_parameter", "Invalid parameter: duration: from 4 to 12", "duration");

beforeAll(async () => {
  await i18next.init({ lng: "zh", keySeparator: false, nsSeparator: false, resources: { zh: texts(0), en: texts(1) } });
  await loadReasons();
});

describe("in Chinese", () => {
  beforeAll(() => i18next.changeLanguage("zh"));

  it("codes have words of their own, whatever the API's message is", () => {
    const words = problemWords(new ApiError(503, "provider_unavailable", "No provider is available"));
    expect(words).toEqual({ text: errors.provider_unavailable[0], original: null });
    expect(fieldWords(new ApiError(403, "wrong_code", "This code does not count", "code"))).toBe(errors.wrong_code[0]);
  });
  it("a field is told what belongs into it, and its name is said elsewhere only", () => {
    expect(fieldWords(mobile)).toBe(errors["invalid_parameter:mobile"][0]);
    expect(fieldWords(new ApiError(400, "invalid_parameter", "x", "models.0"))).toBe(errors["invalid_parameter:models"][0]);
    expect(fieldWords(new ApiError(400, "invalid_parameter", "x", "duration"))).toBe(errors["invalid_parameter:"][0]);
  });
  it("why a value is not taken is told where it is known, else quoted", () => {
    expect(fieldWords(seconds)).toBe("4 至 12 之间。");
    expect(problemWords(seconds)).toEqual({ text: "参数 duration：4 至 12 之间。", original: null });
    const file = new ApiError(400, "invalid_parameter", "Invalid parameter: image1_file; the file is empty", "image1_file");
    expect(fieldWords(file)).toBe("文件为空。");
    const odd = new ApiError(400, "invalid_parameter", "Invalid parameter: n; odd", "n");
    expect(problemWords(odd)).toEqual({ text: "参数 n 的值不可用。", original: odd.message });
  });
  it("what has no words is told in the API's, as such", () => {
    const words = problemWords(new ApiError(418, "teapot", "I am a teapot"));
    expect(words).toEqual({ text: "请求未成功（418）。", original: "I am a teapot" });
  });
  it("tasks tell why they have failed", () => {
    const error = { code: "failed", reason: "content_policy_violation", message: "withheld" };
    expect(taskWords(error)).toBe(errors["task:content_policy_violation"][0]);
    expect(taskWords({ code: "expired", message: "late" })).toBe(errors["task:expired"][0]);
    expect(taskWords({ code: "new", message: "as it is" })).toBe("as it is");
  });
});

describe("in English", () => {
  beforeAll(() => i18next.changeLanguage("en"));

  it("the API's own words stay where they say more, without the name of the field beside it", () => {
    expect(problemWords(seconds)).toEqual({ text: seconds.message, original: null });
    expect(fieldWords(seconds)).toBe("From 4 to 12");
    expect(fieldWords(mobile)).toBe("Not a number in use; write it like 13800138000");
    expect(fieldWords(new ApiError(400, "invalid_parameter", "Invalid parameter: file; the file is empty", "file"))).toBe("The file is empty");
  });
  it("else the console's tell what to do", () => {
    expect(problemWords(new ApiError(429, "insufficient_quota", "Insufficient balance")).text).toBe(errors.insufficient_quota[1]);
    expect(problemWords(new ApiError(418, "teapot", "I am a teapot"))).toEqual({ text: "I am a teapot", original: null });
  });
});

it("llmage's errors are texts", () => {
  expect(toApiError(new Response(null, { status: 400 }), { error: "Missing required parameter: prompt" })).toMatchObject({
    code: "http_400",
    message: "Missing required parameter: prompt",
  });
});

it("a proxy's page without words of the platform is told as what it means", async () => {
  const gone = toApiError(new Response("<h1>Bad Gateway</h1>", { status: 502, statusText: "Bad Gateway" }), "<h1>Bad Gateway</h1>");
  for (const [place, language] of ["zh", "en"].entries()) {
    await i18next.changeLanguage(language);
    expect(problemWords(gone)).toEqual({ text: errors.unanswered[place], original: null });
  }
  const told = toApiError(new Response(null, { status: 503 }), { error: "No provider is available" });
  expect(problemWords(told).text).toBe("No provider is available");
});
