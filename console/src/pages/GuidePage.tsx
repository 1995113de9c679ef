import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link } from "react-router";
import { getDocument } from "@/api/answers";
import { useModels } from "@/api/models";
import { useLanguage, useTexts } from "@/i18n";
import { useTitle } from "@/lib/title";
import { BlockView, Rich } from "@/pages/guide/Blocks";
import address from "@/pages/guide/guide.txt?url";
import { type Block, parse } from "@/pages/guide/parse";
import { exampleChat } from "@/pages/models/examples";
import { paths } from "@/paths";
import { Skeleton } from "@/ui/Card";
import { Loaded } from "@/ui/Loaded";

type Title = Extract<Block, { kind: "heading" }>;

/** The published API guide, with examples that run here as they are. */
export function Page() {
  useTitle(useTexts("shell")("guide"));
  const source = useQuery({ queryKey: ["guide"], queryFn: async () => (await getDocument(address)).text(), staleTime: Infinity });
  const models = useModels();
  const skeleton = <Skeleton className="h-96 w-full" />;
  // Without the catalogue the guide can be read all the same; its tables say what is wrong.
  if (models.isPending) return skeleton;
  return <Loaded of={source} skeleton={skeleton}>{(text) => <Guide source={text} chat={exampleChat(models.data ?? [])} />}</Loaded>;
}

function Guide({ source, chat }: { source: string; chat: string }) {
  const t = useTexts("guide");
  const language = useLanguage();
  const blocks = useMemo(() => parse(source, language, { origin: location.origin, chat }), [source, language, chat]);
  const titles = blocks.filter((block): block is Title => block.kind === "heading" && block.level > 1);
  return (
    <div className="grid gap-8 lg:grid-cols-[15rem_minmax(0,1fr)] lg:gap-12">
      <aside className="lg:sticky lg:top-20 lg:max-h-[calc(100dvh-6rem)] lg:self-start lg:overflow-y-auto">
        <details className="rounded-card border border-line bg-surface px-4 py-2 lg:hidden">
          <summary className="min-h-9 cursor-pointer py-1.5 text-sm font-medium">{t("contents")}</summary>
          <Contents titles={titles} label={t("contents")} />
        </details>
        <div className="hidden lg:block">
          <Contents titles={titles} label={t("contents")} />
        </div>
        <Link to={paths.reference()} className="mt-3 block px-2 py-2 text-sm text-accent-ink hover:underline">
          {t("reference")} →
        </Link>
      </aside>
      <article className="max-w-3xl min-w-0 min-[112rem]:max-w-5xl">
        {blocks.map((block, index) => (
          <BlockView key={index} block={block} />
        ))}
      </article>
    </div>
  );
}

function Contents({ titles, label }: { titles: readonly Title[]; label: string }) {
  return (
    <nav aria-label={label}>
      <ul className="flex flex-col text-sm">
        {titles.map(({ id, level, text }) => (
          <li key={id}>
            <a
              href={`#${id}`}
              className={`block rounded-control px-2 py-1.5 break-words hover:bg-sunken ${level === 2 ? "mt-2 font-medium" : "pl-4 text-xs text-muted hover:text-ink [&_code]:bg-transparent [&_code]:p-0"}`}
            >
              <Rich text={text} />
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
