const KEPT_MS = 60_000;

/** Have the browser save what was fetched. */
export function saveAs({ content, name }: { content: Blob; name: string }): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS); // browsers read it some time after the click
}
