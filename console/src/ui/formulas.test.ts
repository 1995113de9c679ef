import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import Markdown from "react-markdown";
import { describe, expect, it } from "vitest";
import { keepFormulas } from "@/ui/formulas";

const shown = (text: string): string => renderToStaticMarkup(createElement(Markdown, null, keepFormulas(text)));

describe("formulae", () => {
  it.each([
    "\\(a_1 * b_2 * c\\)",
    "\\[\\frac{a_i}{b_i} \\\\ * x *\\]",
    "$$\\sum_{i=1}^n x_i * y_i$$",
    "\\(not ended yet",
    "it is \\(a\\) and \\(b_*\\)",
  ])("%s is shown as it is", (text) => {
    expect(shown(text)).toBe(`<p>${text.replaceAll("&", "&amp;")}</p>`);
  });

  it.each(["`\\(a_1\\)`", "```tex\n\\(a_1\\)\n\\[b\\]\n```", "~~~\n$$a_1$$\n~~~\nand", "``a`\\(b\\)``", "```\n\\(a_1\\)"])(
    "%s is code, in which nothing changes",
    (text) => {
      expect(keepFormulas(text)).toBe(text);
    },
  );

  it("leaves the rest of Markdown alone", () => {
    expect(keepFormulas("**b** \\* $5 and $6")).toBe("**b** \\* $5 and $6");
    expect(shown("```\n\\(x\\)\n```\n\n\\(y_1\\) is *it*")).toContain("<p>\\(y_1\\) is <em>it</em></p>");
  });
});
