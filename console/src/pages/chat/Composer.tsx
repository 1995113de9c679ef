import { type FormEvent, type KeyboardEvent, useState } from "react";
import { useTexts } from "@/i18n";
import { bytes } from "@/lib/numbers";
import { FileButton, RemoveButton } from "@/playground/FileButton";
import { asDataUri } from "@/playground/files";
import { Button } from "@/ui/Button";
import { controlClass } from "@/ui/Field";

const TYPES = ["image/png", "image/jpeg", "image/webp", "image/gif"];
const BYTES_MAX = 5_000_000;
const IMAGES_MAX = 4; // all in base64 fit into the largest request

interface ComposerProps {
  isRunning: boolean;
  /** Models that do not take pictures. */
  blind: readonly string[];
  onSend: (text: string, images: readonly string[]) => void;
  onStop: () => void;
}

/** Where one writes. What was typed stays until it is sent. */
export function Composer({ isRunning, blind, onSend, onStop }: ComposerProps) {
  const t = useTexts("chat");
  const [text, setText] = useState("");
  const [images, setImages] = useState<readonly string[]>([]);
  const canSend = !isRunning && (text.trim() !== "" || images.length > 0);

  function send(event?: FormEvent): void {
    event?.preventDefault();
    if (!canSend) return;
    onSend(text, images);
    setText("");
    setImages([]);
  }

  function onKeyDown(event: KeyboardEvent): void {
    // while characters are being composed, Enter chooses among them
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      send();
    }
  }

  return (
    <form
      onSubmit={send}
      className="sticky bottom-3 z-10 flex flex-col gap-2 rounded-card border border-line bg-raised p-3 shadow-raised"
    >
      <textarea
        aria-label={t("message")}
        placeholder={t("messageHint")}
        rows={2}
        value={text}
        onKeyDown={onKeyDown}
        onChange={(event) => setText(event.target.value)}
        className={`${controlClass} field-sizing-content max-h-60 resize-none py-2`}
      />
      <Images images={images} onChange={setImages} />
      <div className="flex items-center gap-3">
        <ImageInput images={images} onChange={setImages} />
        {images.length > 0 && blind.length > 0 && (
          <p role="status" className="text-sm text-warn">
            {t("imagesIgnored", { models: blind.join(", ") })}
          </p>
        )}
        {isRunning ? (
          <Button className="ml-auto" onClick={onStop}>
            {t("stop")}
          </Button>
        ) : (
          <Button type="submit" tone="primary" className="ml-auto" disabled={!canSend}>
            {t("send")}
          </Button>
        )}
      </div>
    </form>
  );
}

interface ImagesProps {
  images: readonly string[];
  onChange: (images: readonly string[]) => void;
}

function Images({ images, onChange }: ImagesProps) {
  const t = useTexts("chat");
  if (!images.length) return null;
  return (
    <ul className="flex flex-wrap gap-2">
      {images.map((url, at) => (
        <li key={url} className="relative">
          <img src={url} alt={t("image", { number: at + 1 })} className="size-16 rounded-control border border-line object-cover" />
          <span className="absolute -top-2 -right-2">
            <RemoveButton name={t("image", { number: at + 1 })} onRemove={() => onChange(images.filter((one) => one !== url))} />
          </span>
        </li>
      ))}
    </ul>
  );
}

function ImageInput({ images, onChange }: ImagesProps) {
  const t = useTexts("chat");
  const words = useTexts("playground");
  const [problem, setProblem] = useState<string | null>(null);
  const limits = t("imageLimits", { size: bytes(BYTES_MAX), count: IMAGES_MAX });

  async function take(files: readonly File[]): Promise<void> {
    const wrong = files.find((one) => !TYPES.includes(one.type));
    const large = files.find((one) => one.size > BYTES_MAX);
    if (wrong) return setProblem(words("wrongType", { name: wrong.name, types: TYPES.join(", ") }));
    if (large) return setProblem(words("tooLarge", { name: large.name, size: bytes(BYTES_MAX) }));
    if (images.length + files.length > IMAGES_MAX) return setProblem(words("tooMany", { count: IMAGES_MAX }));
    setProblem(null);
    const read = await Promise.all(files.map(asDataUri));
    onChange([...images, ...read.filter((one) => !images.includes(one))]);
  }

  return (
    <div className="flex min-w-0 flex-1 items-center gap-2">
      <FileButton text={t("addImages")} accept={TYPES} isMany onFiles={(files) => void take(files)} />
      {problem ? (
        <p role="alert" className="text-sm text-bad">
          {problem}
        </p>
      ) : (
        <p className="text-xs text-faint">{limits}</p>
      )}
    </div>
  );
}
