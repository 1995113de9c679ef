import Markdown, { type Components } from "react-markdown";
import rehypeHighlight from "rehype-highlight";

/** Links leave the console; pictures of strangers are not fetched, only linked. HTML in the text stays text. */
const components: Components = {
  a: ({ href, children }) => (
    <a href={href} target="_blank" rel="noreferrer noopener" className="text-accent-ink underline">
      {children}
    </a>
  ),
  img: ({ src, alt }) => (
    <a href={typeof src === "string" ? src : undefined} target="_blank" rel="noreferrer noopener" className="text-accent-ink underline">
      {alt || src}
    </a>
  ),
  pre: ({ children }) => (
    <pre tabIndex={0} className="overflow-x-auto rounded-control border border-line bg-sunken p-3 font-mono text-[0.8125rem]">
      {children}
    </pre>
  ),
};

/** A text in Markdown from a model, which may be anything: react-markdown makes no HTML of it, and no dangerous link. */
export function MarkdownText({ text }: { text: string }) {
  return (
    <div className="prose-text">
      <Markdown components={components} rehypePlugins={[[rehypeHighlight, { detect: false }]]}>
        {text}
      </Markdown>
    </div>
  );
}
