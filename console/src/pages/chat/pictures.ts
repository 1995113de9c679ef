/** Pictures that are sent with a question. */

import { asDataUri } from "@/playground/files";

export const TYPES = ["image/png", "image/jpeg", "image/webp", "image/gif"];
export const BYTES_MAX = 5_000_000;
export const IMAGES_MAX = 4; // all in base64 fit into the largest request

/** Why files are not taken. */
export type Refusal = { kind: "type" | "size"; name: string } | { kind: "count" };

/** What is wrong with one of these files beside so many that are there; null if all can be taken. */
export function refusalOf(files: readonly File[], there: number): Refusal | null {
  const wrong = files.find((one) => !TYPES.includes(one.type));
  if (wrong) return { kind: "type", name: wrong.name };
  const large = files.find((one) => one.size > BYTES_MAX);
  if (large) return { kind: "size", name: large.name };
  return there + files.length > IMAGES_MAX ? { kind: "count" } : null;
}

/** The pictures with these behind them, each once. */
export async function withFiles(images: readonly string[], files: readonly File[]): Promise<readonly string[]> {
  return [...new Set([...images, ...(await Promise.all(files.map(asDataUri)))])];
}

interface Carried {
  readonly types: readonly string[];
  readonly files: ArrayLike<File>;
  getData(type: string): string;
}

/** The files of what was pasted; none where it has text too, which office programs send beside a picture of it. */
export function pastedFiles(carried: Carried | null): File[] {
  if (!carried || carried.getData("text/plain").trim()) return [];
  return Array.from(carried.files);
}

/** Whether files are being dragged, and not text or a link. */
export function carriesFiles(carried: Pick<Carried, "types"> | null): boolean {
  return carried?.types.includes("Files") ?? false;
}
