import { useTexts } from "@/i18n";
import { buttonClass } from "@/ui/Button";

interface FileButtonProps {
  text: string;
  /** What it is for, where the text alone does not say it. */
  label?: string;
  accept: readonly string[];
  isMany: boolean;
  isInvalid?: boolean;
  onFiles: (files: readonly File[]) => void;
}

/** Chooses files; the browser's own control cannot speak the language that was chosen. */
export function FileButton({ text, label, accept, isMany, isInvalid = false, onFiles }: FileButtonProps) {
  return (
    <label className={`${buttonClass("plain", "shrink-0 self-start")} cursor-pointer focus-within:outline-2 focus-within:outline-offset-2 focus-within:outline-accent`}>
      {text}
      <input
        type="file"
        aria-label={label ?? text}
        aria-invalid={isInvalid || undefined}
        multiple={isMany}
        accept={accept.join(",")}
        className="sr-only"
        onChange={(event) => {
          onFiles([...(event.target.files ?? [])]);
          event.target.value = ""; // the same file may be chosen again
        }}
      />
    </label>
  );
}

/** A file that was chosen, with the button that takes it away. */
export function RemoveButton({ name, onRemove }: { name: string; onRemove: () => void }) {
  const t = useTexts("playground");
  return (
    <button
      type="button"
      aria-label={t("removeFile", { name })}
      onClick={onRemove}
      className="size-7 shrink-0 rounded-full border border-line bg-raised text-xs hover:bg-sunken"
    >
      ✕
    </button>
  );
}
