import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { codeOfTask, type Earlier, reusedIn, stillThere } from "@/pages/video/reuse";
import type { Offer } from "@/playground/offers";

const offer = {
  llmid: "L",
  model: "m",
  video: {
    models: ["m"],
    sizes: {},
    media: [
      { field: "image1_file", role: "first_frame" },
      { field: "image_files", role: "reference_image" },
    ],
  },
  parameters: {
    properties: {
      prompt: { type: "string" },
      image1_file: { type: "string", "x-role": "first_frame" },
      image_files: { type: "array", "x-role": "reference_image" },
      duration: { type: "integer", default: 12 },
    },
  },
} as unknown as Offer;

const given = (role: string) => ({ role, url: null, media_type: "image/png", seconds: null });
const asked: Earlier["asked"] = {
  model: "m", prompt: "a cat", negative_prompt: "", resolution: null, size: null, ratio: null, seconds: 12, off_peak: false, audio: null, seed: null,
  watermark: false, files: [given("first_frame"), given("reference_image"), given("reference_image")],
};

beforeEach(() => {
  let made = 0;
  vi.stubGlobal("URL", Object.assign(URL, { createObjectURL: () => `blob:${(made += 1)}` }));
});
afterEach(() => vi.unstubAllGlobals());

it("a task comes back with its files, and says which are gone", () => {
  const file = new File(["x"], "reference_image-2.png");
  const files = [{ role: "first_frame", file: null }, { role: "reference_image", file }, { role: "reference_image", file: null }, { role: "last_frame", file }];
  const { typed, uploads, gone } = reusedIn(offer, { id: "1", asked, files });
  expect(uploads).toEqual({ image_files: [{ file, url: "blob:1" }] });
  expect(gone).toEqual(["image1_file", "image_files"]);
  expect(typed).toEqual({ prompt: "a cat", duration: "" }); // as it was asked for, not the cheap beginning of a form
});

it("its equivalent code is the request that made it", () => {
  expect(codeOfTask(offer, asked)).toMatchObject({
    method: "POST",
    path: "/v1/videos",
    form: [
      ["model", "m", false],
      ["llmid", "L", false],
      ["prompt", "a cat", false],
      ["image1_file", "first_frame-1.png", true],
      ["image_files", "reference_image-2.png", true],
      ["image_files", "reference_image-3.png", true],
    ],
  });
});

it("of a task's files those stay that were not taken out", () => {
  const files = asked.files.map(({ role }, index) => ({ role, file: new File([], `${role}-${index + 1}.png`) }));
  const { uploads } = reusedIn(offer, { id: "1", asked, files });
  const names = (of: typeof uploads) => Object.fromEntries(Object.entries(of).map(([field, ones]) => [field, ones.map(({ file }) => file.name)]));
  expect(names(stillThere(uploads, ["reference_image-3.png", "mine.png"]))).toEqual({ image_files: ["reference_image-3.png"] });
});
