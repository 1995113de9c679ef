import { renderToStaticMarkup } from "react-dom/server";
import { beforeAll, describe, expect, it } from "vitest";
import { MarkdownText } from "@/ui/Markdown";

beforeAll(async () => {
  const { default: i18next } = await import("i18next");
  const { initReactI18next } = await import("react-i18next");
  await i18next.use(initReactI18next).init({ lng: "en", resources: {}, keySeparator: false, nsSeparator: false });
});

const shown = (text: string): string => renderToStaticMarkup(<MarkdownText text={text} />);

describe("an answer in Markdown", () => {
  it("has tables, each in a box that scrolls", () => {
    const html = shown("| a | b |\n|---|--:|\n| 1 | **2** |");
    expect(html).toMatch(/role="region"[^>]*tabindex="0"[^>]*><table>/i);
    expect(html).toContain("<strong>2</strong>");
  });

  it("has lists of tasks, text that is struck out, and addresses without marks", () => {
    expect(shown("- [x] a\n- [ ] b").match(/type="checkbox"/g)).toHaveLength(2);
    expect(shown("~~no~~")).toContain("<del>no</del>");
    expect(shown("see https://ai.example/x")).toMatch(/<a href="https:\/\/ai.example\/x" target="_blank" rel="noreferrer noopener"/);
  });

  it("names the language of code, and copies it", () => {
    const html = shown("```python\nprint(1)\n```");
    expect(html).toContain(">python</span>");
    expect(html).toContain("copyCode");
  });

  it("has its own notes, beside those of other answers", () => {
    const html = renderToStaticMarkup(
      <>
        <MarkdownText text={"a[^1]\n\n[^1]: note"} />
        <MarkdownText text={"b[^1]\n\n[^1]: note"} />
      </>,
    );
    const ids = [...html.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const [, href] = /href="#([^"]*)"/.exec(html) ?? [];
    expect(ids).toContain(href);
  });

  it.each([
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "| <iframe src=//x> |\n|---|\n| <svg onload=alert(1)> |",
    "![a](https://evil.example/x.png)",
    "<https://x/> <javascript:alert(1)>",
    "[^1]\n\n[^1]: <b onclick=alert(1)>x</b>",
    "[x]: javascript:alert(1)\n\n[x]",
    "- [x] <input onfocus=alert(1) autofocus>",
  ])("%s is text, or a link that does no harm", (text) => {
    const html = shown(text);
    const elements = html.match(/<[a-z][^>]*>/gi) ?? [];
    expect(elements.filter((one) => /^<(script|img|iframe|svg|b)\b|\son\w+=|href="\s*javascript|autofocus/i.test(one))).toEqual([]);
  });
});
