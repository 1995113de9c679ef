import { type ComponentProps, useId, useMemo } from "react";
import Markdown, { type Components } from "react-markdown";
import rehypeHighlight from "rehype-highlight";
import remarkGfm from "remark-gfm";
import { useTexts } from "@/i18n";
import { CopyButton } from "@/ui/CopyButton";
import { keepFormulas } from "@/ui/formulas";

type Node = NonNullable<ComponentProps<NonNullable<Exclude<Components["pre"], string>>>["node"]>;
type Child = Node["children"][number];

/** Links leave the console; pictures of strangers are not fetched, only linked. HTML in the text stays text. */
const components: Components = {
  a: ({ href, id, children }) =>
    href?.startsWith("#") ? (
      <a href={href} id={id} className="text-accent-ink underline">
        {children}
      </a>
    ) : (
      <a href={href} target="_blank" rel="noreferrer noopener" className="text-accent-ink underline">
        {children}
      </a>
    ),
  img: ({ src, alt }) => (
    <a href={typeof src === "string" ? src : undefined} target="_blank" rel="noreferrer noopener" className="text-accent-ink underline">
      {alt || src}
    </a>
  ),
  h2: ({ className, children }) => <h2 className={className}>{children}</h2>, // without the id that all notes' heads share
  pre: ({ node, children }) => <CodeBlock {...(node && { node })}>{children}</CodeBlock>,
  table: ({ children }) => <WideTable>{children}</WideTable>,
  input: ({ checked }) => <Box isDone={checked === true} />,
};

/** A text in Markdown from a model, which may be anything: react-markdown makes no HTML of it, and no dangerous link. */
export function MarkdownText({ text }: { text: string }) {
  const t = useTexts("playground");
  const id = useId();
  const whole = useMemo(() => keepFormulas(text), [text]);
  return (
    <div className="prose-text">
      <Markdown
        components={components}
        remarkPlugins={[remarkGfm]}
        remarkRehypeOptions={{
          clobberPrefix: `${id}-`, // several answers on a page have notes of the same number
          footnoteLabel: t("footnotes"),
          footnoteBackLabel: t("footnoteBack"),
        }}
        rehypePlugins={[[rehypeHighlight, { detect: false }]]}
      >
        {whole}
      </Markdown>
    </div>
  );
}

/** A block of code, with its language and a button that copies it. */
function CodeBlock({ node, children }: { node?: Node; children?: React.ReactNode }) {
  const t = useTexts("playground");
  const language = languageOf(node);
  return (
    <div className="rounded-control border border-line bg-sunken">
      <div className="flex items-center justify-between gap-2 border-b border-line py-1 pr-1 pl-3">
        <span className="text-xs text-muted">{language}</span>
        <CopyButton text={node ? textOf(node).replace(/\n$/, "") : ""} label={t("copyCode")} tone="quiet" />
      </div>
      <pre tabIndex={0} className="overflow-x-auto p-3 font-mono text-[0.8125rem]">
        {children}
      </pre>
    </div>
  );
}

/** A table that is broader than its answer scrolls by itself. */
function WideTable({ children }: { children?: React.ReactNode }) {
  const t = useTexts("playground");
  return (
    <div role="region" aria-label={t("table")} tabIndex={0} className="overflow-x-auto rounded-control border border-line">
      <table>{children}</table>
    </div>
  );
}

/** An item of a list of tasks, which nobody can tick here. */
function Box({ isDone }: { isDone: boolean }) {
  const t = useTexts("playground");
  return <input type="checkbox" checked={isDone} disabled aria-label={t(isDone ? "taskDone" : "taskOpen")} />;
}

function languageOf(node: Node | undefined): string {
  const [code] = node?.children ?? [];
  const names = code?.type === "element" ? code.properties["className"] : [];
  const found = Array.isArray(names) ? names.map(String).find((one) => one.startsWith("language-")) : undefined;
  return found?.slice("language-".length) ?? "";
}

function textOf(node: Node | Child): string {
  if (node.type === "text") return node.value;
  return node.type === "element" ? node.children.map(textOf).join("") : "";
}
