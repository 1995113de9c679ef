/** What a model does, as a picture; the words stand beside it. */
export function OperationIcon({ operation }: { operation: string }) {
  const isChat = operation === "chat";
  return (
    <span
      aria-hidden
      className={`grid size-10 shrink-0 place-items-center rounded-control ${isChat ? "bg-accent-soft text-accent-ink" : "bg-warn-soft text-warn"}`}
    >
      <svg viewBox="0 0 24 24" className="size-5.5" fill="none" stroke="currentColor" strokeWidth="1.7" strokeLinejoin="round">
        {isChat ? (
          <path d="M4 6.5A2.5 2.5 0 0 1 6.5 4h11A2.5 2.5 0 0 1 20 6.5v7a2.5 2.5 0 0 1-2.5 2.5H11l-4.5 4v-4A2.5 2.5 0 0 1 4 13.5z" />
        ) : (
          <Film operation={operation} />
        )}
      </svg>
    </span>
  );
}

function Film({ operation }: { operation: string }) {
  return (
    <>
      <rect x="3.5" y="5" width="17" height="14" rx="2.5" />
      {operation === "text_to_video" && <path d="M10 9v6l5-3z" fill="currentColor" />}
      {operation === "image_to_video" && (
        <>
          <circle cx="8.5" cy="10" r="1.5" />
          <path d="m4 17.5 5-4.5 3.5 3 3-2.5 4.5 4" />
        </>
      )}
      {operation === "reference_to_video" && <path d="M9 5v14M15 5v14M3.5 12h17" />}
    </>
  );
}
