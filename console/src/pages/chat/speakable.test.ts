import { expect, it } from "vitest";
import { speakable } from "@/pages/chat/speakable";

it("has the words without the marks", () => {
  const text = "# Title\n\n**bold** and `code`, [a link](https://x)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- item\n\n```python\nx = 1\n```";
  expect(speakable(text)).toBe("Title bold and code , a link a b 1 2 item x = 1");
});

it("ends somewhere", () => {
  expect(speakable("字".repeat(5000))).toHaveLength(2001);
});
