import { expect, it } from "vitest";
import { typeOf, withNested } from "@/pages/models/nested";

const fields = [
  {
    name: "messages",
    isRequired: true,
    type: "array",
    items: { type: "object", required: ["role"], properties: { role: { type: "string" }, parts: { type: "array", items: { type: "object", properties: { text: {} } } } } },
  },
  { name: "format", isRequired: false, type: ["object", "null"], required: ["type"], properties: { type: { enum: ["text", "json"] } } },
  { name: "stop", isRequired: false, type: ["string", "array", "null"], items: { type: "string" } },
] as const;

it("what fields consist of follows them, under its path", () => {
  const found = withNested(fields);
  expect(found.map((one) => one.name)).toEqual(["messages", "messages[].role", "messages[].parts", "messages[].parts[].text", "format", "format.type", "stop"]);
  expect(found.filter((one) => one.isRequired).map((one) => one.name)).toEqual(["messages", "messages[].role", "format.type"]);
});

it("a list tells what is in it", () => {
  expect(withNested(fields).map(typeOf)).toEqual(["array<object>", "string", "array<object>", "—", "object", "string", "string | array<string>"]);
});
