import { CopyButton } from "@/ui/CopyButton";

/** A piece of code with a button to copy it. */
export function Code({ text, label }: { text: string; label: string }) {
  return (
    <div className="relative rounded-card border border-line bg-sunken">
      <div className="flex flex-wrap items-center justify-between gap-2 border-b border-line py-1.5 pr-1.5 pl-4">
        <span className="text-xs font-medium text-muted">{label}</span>
        <CopyButton text={text} tone="quiet" />
      </div>
      <pre tabIndex={0} aria-label={label} className="overflow-x-auto p-4 font-mono text-[0.8125rem] leading-relaxed">
        {text}
      </pre>
    </div>
  );
}
