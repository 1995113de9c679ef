import { expect, it } from "vitest";
import { thriftyOf } from "@/pages/video/thrift";
import type { Offer } from "@/playground/offers";

const sizes = { "720p": { "16:9": "1280x720", "1:1": "960x960" }, "1080p": { "16:9": "1920x1080" } };
const offerWith = (properties: object) => ({ video: { sizes }, parameters: { properties } }) as unknown as Offer;

it("a form begins with a short video of a middling size", () => {
  const tiers = { enum: ["480p", "720p", "1080p"], default: "1080p" };
  expect(thriftyOf(offerWith({ duration: { type: "integer", minimum: 4, maximum: 12, default: 12 }, resolution: tiers }))).toEqual({
    duration: "5",
    resolution: "720p",
  });
  expect(thriftyOf(offerWith({ size: { enum: ["1280*720", "960*960", "1920*1080"], default: "1920*1080" } }))).toEqual({ size: "1280*720" });
});

it("what is cheap already, or cannot be cheaper, stays", () => {
  const cheap = { duration: { type: "integer", default: 5 }, resolution: { enum: ["480p", "720p"], default: "480p" }, size: { enum: ["1280*720"], default: "1280*720" } };
  expect(thriftyOf(offerWith(cheap))).toEqual({});
  const dear = { duration: { enum: [8, 12], default: 12 }, resolution: { enum: ["1080p"], default: "1080p" }, size: { enum: ["1920*1080"], default: "1920*1080" } };
  expect(thriftyOf(offerWith(dear))).toEqual({});
});
