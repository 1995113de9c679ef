import { describe, expect, it } from "vitest";
import { type ApiDocument, callsOf, exampleOf, groupsOf, SchemaReader } from "@/pages/reference/document";

const document: ApiDocument = {
  tags: [{ name: "models", description: "What there is." }, { name: "nothing" }],
  paths: {
    "/v1/models": { get: { tags: ["models"], summary: "List", parameters: [{ name: "provider", in: "query" }] } },
    "/v1/models/{model}": { get: { tags: ["models"], summary: "One" } },
    "/other": {
      post: {
        tags: ["other"],
        requestBody: { content: { "application/json": { schema: { $ref: "#/components/schemas/Other" } } } },
      },
    },
  },
  components: {
    schemas: {
      Model: {
        type: "object",
        required: ["id"],
        properties: {
          id: { type: "string", description: "Its name." },
          limit: { anyOf: [{ type: "integer", minimum: 1 }, { type: "null" }], default: 3 },
          self: { $ref: "#/components/schemas/Model" },
        },
      },
      Other: { type: "object", required: ["id"], properties: { id: { type: "string" }, video: { const: "x" } } },
    },
  },
};
const calls = callsOf(document);
const reader = new SchemaReader(document);

describe("the description", () => {
  it("is grouped by tags and searched by words, fields among them", () => {
    expect(groupsOf(document, calls, "").map((group) => [group.tag, group.calls.length])).toEqual([
      ["models", 2],
      ["other", 1],
    ]);
    expect(groupsOf(document, calls, "get PROVIDER")[0]?.calls.map((call) => call.id)).toEqual(["GET /v1/models"]);
    expect(groupsOf(document, calls, "video")[0]?.calls.map((call) => call.id)).toEqual(["POST /other"]);
    expect(groupsOf(document, calls, "elsewhere")).toEqual([]);
  });
  it("has fields as rows, and an end where a schema has itself", () => {
    const rows = reader.rows({ type: "array", items: { $ref: "#/components/schemas/Model" } });
    expect(rows[0]).toEqual({ name: "[].id", type: "string", isRequired: true, description: "Its name.", limits: "" });
    expect(rows[1]).toMatchObject({ name: "[].limit", type: "integer | null", isRequired: false, limits: "≥ 1, = 3" });
    expect(rows.length).toBeLessThan(20);
  });
  it("says what one of several objects may have", () => {
    const both = { anyOf: [{ $ref: "#/components/schemas/Model" }, { $ref: "#/components/schemas/Other" }] };
    expect(reader.rows(both).filter((row) => !row.name.includes(".")).map((row) => [row.name, row.isRequired])).toEqual([
      ["id", true],
      ["limit", false],
      ["self", false],
      ["video", false],
    ]);
    expect(reader.type({ enum: ["a", "b"] })).toBe('"a" | "b"');
  });
  it("has examples", () => {
    expect(exampleOf({ examples: { one: { value: { a: 1 } } } })).toBe('{\n  "a": 1\n}');
    expect(exampleOf({ examples: { one: { value: "data: x" } } })).toBe("data: x");
    expect(exampleOf(undefined)).toBeNull();
  });
});
