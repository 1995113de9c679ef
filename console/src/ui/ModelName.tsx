import { useWords } from "@/i18n/words";

interface ModelNameProps {
  model: string;
  operation: string;
}

/** A model and what was asked of it, in a table; it breaks between the two, and names at their hyphens. */
export function ModelName({ model, operation }: ModelNameProps) {
  const word = useWords();
  return (
    <>
      <span className="break-words">{model}</span> <span className="whitespace-nowrap text-muted">· {word(operation)}</span>
    </>
  );
}
