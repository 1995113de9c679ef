import { useMutation } from "@tanstack/react-query";
import type { MouseEvent } from "react";
import { callFile } from "@/api/client";
import { saveAs } from "@/lib/save";
import { buttonClass, Spinner, type Tone } from "@/ui/Button";
import { Problem } from "@/ui/Problem";

interface DownloadLinkProps {
  href: string;
  tone?: Tone;
  className?: string;
  "aria-label"?: string;
  children: string;
}

/**
 * A file of the API. It is fetched by the page, so that an error is told here, and a session that has ended is begun
 * again, where the browser would save the answer that says so, or nothing.
 */
export function DownloadLink({ href, tone = "plain", className, children, ...rest }: DownloadLinkProps) {
  const loading = useMutation({ mutationFn: async () => saveAs(await callFile(href)) });

  function load(event: MouseEvent): void {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return; // the browser's own ways
    event.preventDefault();
    if (!loading.isPending) loading.mutate();
  }

  return (
    <span className="inline-flex flex-col gap-2">
      <a {...rest} href={href} download onClick={load} aria-busy={loading.isPending || undefined} className={className ?? buttonClass(tone)}>
        {loading.isPending && <Spinner />}
        {children}
      </a>
      {loading.isError && <Problem error={loading.error} />}
    </span>
  );
}
