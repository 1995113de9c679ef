import { expect, it } from "vitest";
import type { Offer } from "@/playground/offers";
import { sharedFields } from "@/playground/useTyped";

const offer = (properties: object) => ({ parameters: { properties } }) as unknown as Offer;

it("what is chosen and counted stands in the address, what is written does not", () => {
  const chat = offer({ model: { type: "string" }, temperature: { type: ["number", "null"] }, user: { type: "string" }, stop: { type: ["string", "array"] } });
  const video = offer({ model: { enum: ["a", "b"] }, prompt: { type: "string" }, negative_prompt: { type: "string" }, seed: { type: "integer" }, sound: { type: "boolean" }, ratio: { enum: ["16:9"] }, image1_file: { type: "string", "x-role": "first_frame" } });
  expect([...sharedFields([chat, video])].toSorted()).toEqual(["ratio", "seed", "sound", "temperature"]);
});
