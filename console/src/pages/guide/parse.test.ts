import { describe, expect, it } from "vitest";
import source from "@/pages/guide/guide.txt?raw";
import { parse, spans } from "@/pages/guide/parse";

const here = { origin: "https://ai.example.com", chat: "kimi-k2.6" };

describe("the guide's text", () => {
  it("has both languages in one line", () => {
    const text = "## 开始 ‖ Start {#start}\n\n你好 ‖ Hello\n\n- 甲 ‖ A\n- `B`";
    expect(parse(text, "en", here)).toEqual([
      { kind: "heading", level: 2, text: "Start", id: "start" },
      { kind: "text", text: "Hello" },
      { kind: "list", isNumbered: false, items: ["A", "`B`"] },
    ]);
    expect(parse(text, "zh", here)[1]).toEqual({ kind: "text", text: "你好" });
  });
  it("has tables, and code with the platform's address", () => {
    const text = "| 甲 ‖ A | B |\n| `x` | 一 ‖ one |\n\n```sh run\ncurl {origin}/v1 {chat}\n```\n\n```python run\n1\n```\n\n```sh\n2\n```";
    expect(parse(text, "en", here)).toEqual([
      { kind: "table", head: ["A", "B"], rows: [["`x`", "one"]] },
      {
        kind: "code",
        parts: [
          { language: "sh", text: "curl https://ai.example.com/v1 kimi-k2.6" },
          { language: "python", text: "1" },
        ],
      },
      { kind: "code", parts: [{ language: "sh", text: "2" }] },
    ]);
  });
  it("has code, emphasis and links", () => {
    expect(spans("a `b` **c** [d](/e).")).toEqual([
      { kind: "plain", text: "a " },
      { kind: "code", text: "b" },
      { kind: "plain", text: " " },
      { kind: "strong", text: "c" },
      { kind: "plain", text: " " },
      { kind: "link", text: "d", to: "/e" },
      { kind: "plain", text: "." },
    ]);
  });
});

it("is whole in both languages", () => {
  const [zh, en] = [parse(source, "zh", here), parse(source, "en", here)];
  expect(zh.map((block) => block.kind)).toEqual(en.map((block) => block.kind));
  for (const block of en) {
    const { kind } = block;
    if (kind === "table") for (const row of block.rows) expect(row).toHaveLength(block.head.length);
    if (kind === "code" || kind === "offers") continue;
    expect(JSON.stringify(block)).not.toMatch(/[\u4e00-\u9fff]/);
  }
  const ids = en.flatMap((block) => (block.kind === "heading" ? [block.id] : []));
  expect(new Set(ids).size).toBe(ids.length);
});
