import { type FormEvent, type KeyboardEvent, useEffect, useEffectEvent, useRef, useState } from "react";
import { useTexts } from "@/i18n";
import { bytes } from "@/lib/numbers";
import type { Draft } from "@/pages/chat/kept";
import { BYTES_MAX, carriesFiles, IMAGES_MAX, pastedFiles, type Refusal, refusalOf, TYPES, withFiles } from "@/pages/chat/pictures";
import { FileButton, RemoveButton } from "@/playground/FileButton";
import { Button } from "@/ui/Button";
import { controlClass } from "@/ui/Field";

export const MESSAGE_ID = "message";

interface ComposerProps {
  isRunning: boolean;
  /** Models that do not take pictures. */
  blind: readonly string[];
  /** What was written before. */
  draft: Draft;
  onDraft: (draft: Draft) => void;
  /** Why nothing can be sent as it is set now. */
  problem: string | null;
  /** Whether it was sent. */
  onSend: (text: string, images: readonly string[]) => boolean;
  onStop: () => void;
}

/** Where one writes. What was typed stays until it is sent. */
export function Composer({ isRunning, blind, draft: first, onDraft, problem, onSend, onStop }: ComposerProps) {
  const t = useTexts("chat");
  const [draft, setDraft] = useState(first);
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const { text, images } = draft;
  const isBlind = images.length > 0 && blind.length > 0;
  const needsText = isBlind && text.trim() === ""; // a question of pictures alone is none for who does not see them
  const canSend = !isRunning && !needsText && (text.trim() !== "" || images.length > 0);

  function change(next: Draft): void {
    setDraft(next);
    onDraft(next);
  }

  function send(event?: FormEvent): void {
    event?.preventDefault();
    if (canSend && onSend(text, images)) change({ text: "", images: [] });
  }

  async function take(files: readonly File[]): Promise<void> {
    const refused = refusalOf(files, images.length);
    setRefusal(refused);
    if (!refused) change({ ...draft, images: await withFiles(images, files) });
  }

  function onKeyDown(event: KeyboardEvent): void {
    // while characters are being composed, Enter chooses among them
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      send();
    }
  }

  const isOver = useDrop(take);
  return (
    <form
      onSubmit={send}
      className={`sticky bottom-3 z-10 flex flex-col gap-2 rounded-card border bg-raised p-3 shadow-raised ${isOver ? "border-accent outline-2 outline-accent" : "border-line"}`}
    >
      <MessageField
        text={text}
        onKeyDown={onKeyDown}
        onWrite={(typed) => change({ ...draft, text: typed })}
        onFiles={(files) => void take(files)}
      />
      <Images images={images} onChange={(left) => change({ ...draft, images: left })} />
      {problem && (
        <p role="alert" className="text-sm text-bad">
          {problem}
        </p>
      )}
      {isBlind && (
        <p role="status" className="text-sm text-warn">
          {t("imagesIgnored", { models: blind.join(t("and")) })} {needsText && t("imagesNeedText")}
        </p>
      )}
      <div className="flex items-center gap-3">
        <FileButton text={t("addImages")} accept={TYPES} isMany onFiles={(files) => void take(files)} />
        <Limits refusal={refusal} />
        {isRunning ? (
          <Button
            key="stop"
            className="ml-auto shrink-0"
            onClick={() => {
              onStop();
              document.getElementById(MESSAGE_ID)?.focus({ preventScroll: true }); // this button goes
            }}
          >
            {t("stop")}
          </Button>
        ) : (
          <Button key="send" type="submit" tone="primary" className="ml-auto shrink-0" disabled={!canSend}>
            {t("send")}
          </Button>
        )}
      </div>
    </form>
  );
}

interface MessageFieldProps {
  text: string;
  onWrite: (text: string) => void;
  onKeyDown: (event: KeyboardEvent) => void;
  onFiles: (files: readonly File[]) => void;
}

function MessageField({ text, onWrite, onKeyDown, onFiles }: MessageFieldProps) {
  const t = useTexts("chat");
  const field = useRef<HTMLTextAreaElement>(null);

  useEffect(() => {
    // a keyboard on the screen would hide half of the page from who has not asked for it
    if (!matchMedia("(pointer: fine)").matches || !field.current) return;
    field.current.focus({ preventScroll: true });
    field.current.setSelectionRange(field.current.value.length, field.current.value.length); // one goes on where one was
  }, []);

  return (
    <textarea
      ref={field}
      id={MESSAGE_ID}
      aria-label={t("message")}
      placeholder={t("messageHint")}
      rows={2}
      value={text}
      onKeyDown={onKeyDown}
      onChange={(event) => onWrite(event.target.value)}
      onPaste={(event) => {
        const files = pastedFiles(event.clipboardData);
        if (!files.length) return;
        event.preventDefault();
        onFiles(files);
      }}
      className={`${controlClass} field-sizing-content max-h-60 resize-none py-2`}
    />
  );
}

/** Files can be dropped anywhere on the page, which the browser would else leave for them. Whether some are above it. */
function useDrop(onFiles: (files: readonly File[]) => Promise<void>): boolean {
  const [isOver, setOver] = useState(false);
  const drop = useEffectEvent((files: FileList) => void onFiles([...files]));

  useEffect(() => {
    const closing = new AbortController();
    const { signal } = closing;
    const leave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setOver(false);
    };
    const over = (event: DragEvent): void => {
      if (!carriesFiles(event.dataTransfer)) return;
      event.preventDefault();
      setOver(true);
    };
    const end = (event: DragEvent): void => {
      setOver(false);
      if (!carriesFiles(event.dataTransfer) || !event.dataTransfer) return;
      event.preventDefault();
      drop(event.dataTransfer.files);
    };
    addEventListener("dragover", over, { signal });
    addEventListener("dragleave", leave, { signal });
    addEventListener("drop", end, { signal });
    return () => closing.abort();
  }, []);
  return isOver;
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

/** What pictures may be; or why the last ones were not taken. */
function Limits({ refusal }: { refusal: Refusal | null }) {
  const t = useTexts("chat");
  const words = useTexts("playground");
  const size = bytes(BYTES_MAX);
  if (!refusal) return <p className="text-xs text-faint">{t("imageLimits", { size, count: IMAGES_MAX })}</p>;
  return (
    <p role="alert" className="text-sm text-bad">
      {refusal.kind === "type" && words("wrongType", { name: refusal.name, types: TYPES.join(", ") })}
      {refusal.kind === "size" && words("tooLarge", { name: refusal.name, size })}
      {refusal.kind === "count" && words("tooMany", { count: IMAGES_MAX })}
    </p>
  );
}
