import type { UseQueryResult } from "@tanstack/react-query";
import { renderToStaticMarkup } from "react-dom/server";
import { expect, it } from "vitest";
import { ApiError, OtherCustomerError } from "@/api/errors";
import { Loaded } from "@/ui/Loaded";

function drawn(data: string | undefined, error: Error | null): string {
  const query = { data, error, isError: error !== null, isFetching: false } as UseQueryResult<string>;
  return renderToStaticMarkup(
    <Loaded of={query} skeleton={<i>shape</i>}>
      {(text) => <b>{text}</b>}
    </Loaded>,
  );
}

const busy = new ApiError(503, "store_unavailable", "Busy");
const ended = new ApiError(401, "not_signed_in", "Sign in first");

it("what was heard stays where asking again has failed, with a notice", () => {
  expect(drawn("mine", busy)).toContain("<b>mine</b>");
  expect(drawn("mine", busy)).toContain("role=\"status\"");
  expect(drawn("mine", busy)).not.toContain("alert");
});

it("an end of the session is told once, by the dialog over the page", () => {
  expect(drawn("mine", ended)).toBe("<b>mine</b>");
  for (const error of [ended, new OtherCustomerError()]) expect(drawn(undefined, error)).toBe("<i>shape</i>");
});

it("what was never heard has its shape, and then why it is not there", () => {
  expect(drawn(undefined, null)).toBe("<i>shape</i>");
  expect(drawn(undefined, busy)).toContain("role=\"alert\"");
});
