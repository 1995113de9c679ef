import { useId, useState } from "react";
import type { MediaLimits } from "@/api/models";
import { useLanguage, useTexts } from "@/i18n";
import { brokenLimit, limitsText, measure } from "@/pages/video/limits";
import type { Upload } from "@/pages/video/request";
import { FileButton, RemoveButton } from "@/playground/FileButton";
import { type Field, labelOf } from "@/playground/schema";

interface UploadFieldProps {
  field: Field;
  limits: MediaLimits;
  uploads: readonly Upload[];
  onChange: (uploads: readonly Upload[]) => void;
  problem: string | null;
}

/** Files for one parameter: what may be given is said before they are chosen, and each is shown. */
export function UploadField({ field, limits, uploads, onChange, problem }: UploadFieldProps) {
  const t = useTexts("video");
  const words = useTexts("playground");
  const common = useTexts("common");
  const language = useLanguage();
  const id = useId();
  const [own, setOwn] = useState<string | null>(null);
  const label = `${labelOf(field, language)}${field.isRequired ? "" : ` (${common("optional")})`}`;
  const shown = own ?? problem;

  async function take(files: readonly File[]): Promise<void> {
    if (uploads.length + files.length > limits.count_max) return setOwn(words("tooMany", { count: limits.count_max }));
    const made = files.map((file) => ({ file, url: URL.createObjectURL(file) }));
    const broken = await Promise.all(made.map(async ({ file, url }) => brokenLimit(limits, await measure(file, url), t)));
    const wrong = broken.findIndex((one) => one !== null);
    if (wrong >= 0) {
      for (const { url } of made) URL.revokeObjectURL(url);
      return setOwn(t("badFile", { name: files[wrong]?.name ?? "", limit: broken[wrong] ?? "" }));
    }
    setOwn(null);
    onChange([...uploads, ...made]);
  }

  function remove(gone: Upload): void {
    URL.revokeObjectURL(gone.url);
    setOwn(null);
    onChange(uploads.filter((one) => one !== gone));
  }

  return (
    <fieldset className="flex min-w-0 flex-col gap-2" aria-describedby={`${id}-limits`}>
      <legend className="mb-1.5 text-sm font-medium">{label}</legend>
      <p id={`${id}-limits`} className="text-xs text-faint">
        {limitsText(limits, t)}
      </p>
      {uploads.length > 0 && (
        <ul className="flex flex-wrap gap-2">
          {uploads.map((one) => (
            <li key={one.url} className="flex min-w-0 items-center gap-2 rounded-control border border-line p-2 text-sm">
              <Preview upload={one} />
              <span className="max-w-32 truncate">{one.file.name}</span>
              <RemoveButton name={one.file.name} onRemove={() => remove(one)} />
            </li>
          ))}
        </ul>
      )}
      {uploads.length < limits.count_max && (
        <FileButton
          text={words("addFile")}
          label={label}
          isMany={limits.count_max > 1}
          isInvalid={shown !== null}
          accept={[...limits.media_types, ...(limits.media_types[0]?.startsWith("image/") ? ["image/heic"] : [])]}
          onFiles={(files) => void take(files)}
        />
      )}
      {shown && (
        <p role="alert" className="text-sm text-bad">
          {shown}
        </p>
      )}
    </fieldset>
  );
}

function Preview({ upload: { file, url } }: { upload: Upload }) {
  if (file.type.startsWith("image/")) return <img src={url} alt="" className="size-12 rounded-control object-cover" />;
  if (file.type.startsWith("video/")) return <video src={url} muted playsInline preload="metadata" className="size-12 rounded-control object-cover" />;
  return <audio src={url} controls preload="metadata" className="h-9 max-w-44" />;
}
