import { describe, expect, it } from "vitest";
import { codeOf, pythonValue } from "@/playground/code";

const ORIGIN = "https://ai.example";
const chat = {
  method: "POST",
  path: "/v1/chat/completions",
  json: { model: "m", messages: [{ role: "user", content: "it's \"5\"\n" }], stream: true, seed: null },
  isStream: true,
} as const;
const video = {
  method: "POST",
  path: "/v1/videos",
  form: [
    ["prompt", "@me; 'x'", false],
    ["image1_file", "a b.png", true],
  ],
} as const;

describe("equivalent code", () => {
  it("quotes for the shell", () => {
    expect(codeOf(chat, "curl", ORIGIN)).toContain(`curl -N 'https://ai.example/v1/chat/completions'`);
    expect(codeOf(chat, "curl", ORIGIN)).toContain(`"it'\\''s \\"5\\"\\n"`);
  });
  it("has values of Python", () => {
    expect(pythonValue({ a: true, b: null, c: [], d: { e: [1, "x"] } })).toBe(
      '{\n    "a": True,\n    "b": None,\n    "c": [],\n    "d": {\n        "e": [\n            1,\n            "x",\n        ],\n    },\n}',
    );
    expect(codeOf(chat, "python", ORIGIN)).toContain("stream=True");
  });
  it("has values of JavaScript", () => {
    expect(codeOf(chat, "javascript", ORIGIN)).toContain(`"content": "it's \\"5\\"\\n"`);
  });
  it("sends files as parts, and texts that look like files as texts", () => {
    expect(codeOf(video, "curl", ORIGIN)).toContain(`--form-string 'prompt=@me; '\\''x'\\''' \\\n  -F 'image1_file=@"a b.png"'`);
    expect(codeOf(video, "python", ORIGIN)).toContain(`("image1_file", open("a b.png", "rb")),`);
    expect(codeOf(video, "javascript", ORIGIN)).toContain(`form.append("image1_file", await openAsBlob("a b.png"), "a b.png");`);
  });
  it("cuts long pictures off", () => {
    const url = `data:image/png;base64,${"A".repeat(5000)}`;
    const text = codeOf({ ...chat, json: { messages: [{ content: [{ image_url: { url } }] }] } }, "curl", ORIGIN);
    expect(text.length).toBeLessThan(600);
    expect(text).toContain("…");
  });
});
