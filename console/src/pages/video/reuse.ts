/** A task that was made before, as a draft: its settings and, as long as they are kept, its files. */

import { api, call, type Schemas } from "@/api/client";
import { codeRequest, typedOf, type Upload, type Uploads } from "@/pages/video/request";
import { thriftyOf } from "@/pages/video/thrift";
import type { CodeRequest } from "@/playground/code";
import type { Offer } from "@/playground/offers";
import type { Typed } from "@/playground/SchemaFields";

type Asked = Schemas["TaskParametersView"];

/** The address on this origin: the policy of pages lets no other be used. */
export function local(url: string): string {
  const { pathname, search } = new URL(url, location.origin);
  return `${pathname}${search}`;
}

/** A file of the task; null once it is gone, or where only its provider has it. */
export interface KeptFile {
  role: string;
  file: File | null;
}

export interface Earlier {
  id: string;
  asked: Asked;
  files: readonly KeptFile[];
}

/** Throws what `call` throws; a file that cannot be had is null. */
export async function fetchEarlier(id: string, signal: AbortSignal): Promise<Earlier> {
  const task = await call(() => api.GET("/api/tasks/{task_id}", { params: { path: { task_id: id } }, signal }));
  const names = namesOf(task.parameters);
  const files = await Promise.all(
    task.parameters.files.map(async ({ role, url }, index) => ({ role, file: await fileAt(url, names[index] ?? role, signal) })),
  );
  return { id: task.id, asked: task.parameters, files };
}

async function fileAt(url: string | null, name: string, signal: AbortSignal): Promise<File | null> {
  if (!url?.startsWith("http")) return null;
  try {
    const answer = await fetch(local(url), { signal });
    if (!answer.ok) return null;
    const content = await answer.blob();
    return new File([content], name, { type: content.type });
  } catch (error) {
    if (error instanceof TypeError) return null; // no network, or a store that this page may not read
    throw error;
  }
}

/** Names for files that have none any more: `first_frame-1.jpeg`. */
function namesOf({ files }: Asked): string[] {
  return files.map(({ role, media_type }, index) => `${role}-${index + 1}${media_type ? `.${media_type.split("/")[1]}` : ""}`);
}

export interface Reused {
  typed: Typed;
  uploads: Uploads;
  /** Fields whose file is to be chosen again. */
  gone: readonly string[];
}

/** The draft for an offer; each file with an address of its own. */
export function reusedIn(offer: Offer, { asked, files }: Earlier): Reused {
  const uploads: Record<string, Upload[]> = {};
  const gone = new Set<string>();
  for (const { role, file } of files) {
    const field = fieldFor(offer, role);
    if (field === undefined) continue;
    if (file === null) gone.add(field);
    else (uploads[field] ??= []).push({ file, url: URL.createObjectURL(file) });
  }
  return { typed: { ...asDefaults(thriftyOf(offer)), ...typedOf(asked, offer) }, uploads, gone: [...gone] };
}

/** Of a task's files those that go by these names. */
export function stillThere(uploads: Uploads, names: readonly string[]): Uploads {
  const kept = Object.entries(uploads).map(([field, ones]) => [field, ones.filter(({ file }) => names.includes(file.name))] as const);
  return Object.fromEntries(kept.filter(([, ones]) => ones.length > 0));
}

/** The offer's own defaults, where the form would begin with something else. */
function asDefaults(thrifty: Typed): Typed {
  return Object.fromEntries(Object.keys(thrifty).map((name) => [name, ""]));
}

function fieldFor(offer: Offer, role: string): string | undefined {
  return offer.video?.media.find((rule) => rule.role === role)?.field;
}

/** The request that made a task, as a program; files by names of ours. */
export function codeOfTask(offer: Offer, asked: Asked): CodeRequest {
  const uploads: Record<string, Upload[]> = {};
  const names = namesOf(asked);
  asked.files.forEach(({ role }, index) => {
    const field = fieldFor(offer, role);
    if (field !== undefined) (uploads[field] ??= []).push({ file: new File([], names[index] ?? role), url: "" });
  });
  return codeRequest(offer, { typed: typedOf(asked, offer), uploads });
}
