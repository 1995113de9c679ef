/* oxlint-disable unicorn/no-thenable -- a word of JSON Schema */
import { describe, expect, it } from "vitest";
import { fieldsOf, isWithin, kindOf, labelOf, type Schema, valueOf } from "@/playground/schema";

const schema: Schema = {
  required: ["prompt"],
  "x-order": ["model", "prompt", "image1_file", "image2_file", "resolution", "duration", "off_peak"],
  properties: {
    model: { type: "string", enum: ["slow", "fast"], default: "slow" },
    prompt: { type: "string", maxLength: 5, "x-label": "Prompt", "x-label-zh": "提示词" },
    image1_file: { type: "string", "x-role": "first_frame" },
    image2_file: { type: "string", "x-role": "last_frame" },
    resolution: { type: "string", enum: ["720p", "1080p"], default: "720p" },
    duration: { type: ["integer", "null"], minimum: 2, maximum: 10 },
    off_peak: { type: "boolean" },
  },
  allOf: [
    { if: { properties: { model: { const: "slow" } } }, then: { properties: { duration: { maximum: 5 } } } },
    { if: { properties: { model: { const: "fast" } }, required: ["model"] }, then: { properties: { resolution: { enum: ["720p"] } }, required: ["image1_file"] } },
    {
      if: { allOf: [{ properties: { model: { const: "fast" } }, required: ["model"] }, { required: ["image1_file"] }] },
      then: { properties: { duration: { default: 8 } } },
    },
    { dependentRequired: { image2_file: ["image1_file"] } },
  ],
};
const field = (name: string, given = {}) => {
  const found = fieldsOf(schema, given).find((one) => one.name === name);
  if (!found) throw new Error(name);
  return found;
};

describe("the fields of a schema", () => {
  it("come in its order, each with its control", () => {
    expect(fieldsOf(schema, {}).map((one) => kindOf(one))).toEqual(["choice", "text", "file", "file", "choice", "integer", "switch"]);
  });
  it("are changed by its conditions", () => {
    expect(field("duration").maximum).toBe(5); // the default model is meant where none is given
    expect(field("duration", { model: "fast" }).maximum).toBe(10);
    expect(field("resolution", { model: "fast" }).enum).toEqual(["720p"]);
    expect(field("duration", { model: "fast", image1_file: true }).default).toBe(8);
    expect([field("image1_file").isRequired, field("image1_file", { model: "fast" }).isRequired]).toEqual([false, true]);
    expect(field("image1_file", { image2_file: true }).isRequired).toBe(true);
  });
  it("have names in both languages", () => {
    expect([labelOf(field("prompt"), "zh"), labelOf(field("prompt"), "en"), labelOf(field("duration"), "zh")]).toEqual(["提示词", "Prompt", "duration"]);
  });
  it("read what was typed, and know their bounds", () => {
    expect([valueOf(field("duration"), "7"), valueOf(field("duration"), "7.5"), valueOf(field("duration"), " ")]).toEqual([7, null, null]);
    expect([isWithin(field("duration"), 6), isWithin(field("duration"), 5)]).toEqual([false, true]);
    expect(valueOf(field("resolution"), "1080p")).toBe("1080p");
    expect([isWithin(field("prompt"), "123456"), isWithin(field("resolution"), "480p")]).toEqual([false, false]);
  });
});
