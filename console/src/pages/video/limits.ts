/** What files an offer takes, and whether one fits; told before anything is sent. */

import type { MediaLimits } from "@/api/models";
import type { useTexts } from "@/i18n";
import { bytes } from "@/lib/numbers";

type Words = ReturnType<typeof useTexts<"video">>;

/** What can be found out about a file in the browser; null is unknown. */
export interface Facts {
  type: string;
  size: number;
  width: number | null;
  height: number | null;
  seconds: number | null;
  /** It is a picture of a type that every browser opens, and could not be opened. */
  isBroken: boolean;
}

const ALWAYS_TAKEN = ["image/heic", "image/heif"]; // converted by the platform

const OPENED_ANYWHERE = ["image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp"];

const NAMES: Readonly<Record<string, string>> = { "video/quicktime": "MOV", "audio/mpeg": "MP3" };

function nameOf(type: string): string {
  return NAMES[type] ?? (type.split("/")[1] ?? type).toUpperCase();
}

const range = (from: string | null, to: string | null): string => (to === null ? `≥ ${from}` : from === null ? `≤ ${to}` : `${from} – ${to}`);

/** Each limit in words, with whether these facts keep it. */
function* checks(limits: MediaLimits, t: Words, facts: Facts | null): Generator<[words: string, isKept: boolean]> {
  const types = limits.media_types.map(nameOf).join(", ");
  const takes = (type: string): boolean => limits.media_types.includes(type) || (type.startsWith("image/") && ALWAYS_TAKEN.includes(type));
  yield [t("limitTypes", { types }), !facts || takes(facts.type)];
  yield [t("limitSize", { size: bytes(limits.size_bytes_max) }), !facts || facts.size <= limits.size_bytes_max];
  if (facts?.isBroken) yield [t("limitReadable"), false];
  const { width = null, height = null, seconds = null } = facts ?? {};
  const isKnown = width !== null && height !== null;
  if (limits.side_min !== null)
    yield [t("limitSideMin", { pixels: limits.side_min }), !isKnown || Math.min(width, height) >= limits.side_min];
  if (limits.side_max !== null)
    yield [t("limitSideMax", { pixels: limits.side_max }), !isKnown || Math.max(width, height) <= limits.side_max];
  if (limits.aspect_min !== null || limits.aspect_max !== null)
    yield [t("limitAspect", { range: range(limits.aspect_min, limits.aspect_max) }), !isKnown || isBetween(width / height, limits.aspect_min, limits.aspect_max)];
  if (limits.seconds_min !== null || limits.seconds_max !== null)
    yield [t("limitSeconds", { range: range(limits.seconds_min, limits.seconds_max) }), seconds === null || isBetween(seconds, limits.seconds_min, limits.seconds_max)];
}

function isBetween(value: number, from: string | null, to: string | null): boolean {
  return (from === null || value >= Number(from)) && (to === null || value <= Number(to));
}

/** All limits in one line. */
export function limitsText(limits: MediaLimits, t: Words): string {
  const words = [...checks(limits, t, null)].map(([text]) => text);
  if (limits.count_max > 1) words.push(t("limitCount", { count: limits.count_max }));
  if (limits.seconds_total_max !== null) words.push(t("limitTotal", { seconds: limits.seconds_total_max }));
  return words.join(" · ");
}

/** The first limit that a file does not keep; null if it fits, as far as can be told here. */
export function brokenLimit(limits: MediaLimits, facts: Facts, t: Words): string | null {
  for (const [words, isKept] of checks(limits, t, facts)) if (!isKept) return words;
  return null;
}

/** What a file is; what the browser cannot open stays unknown, and is the platform's to judge. */
export async function measure(file: File, url: string): Promise<Facts> {
  const facts = { type: file.type, size: file.size, width: null, height: null, seconds: null, isBroken: false };
  const kind = file.type.split("/")[0];
  if (kind === "image") return { ...facts, ...(await pictureFacts(url, file.type)) };
  if (kind === "video" || kind === "audio") return { ...facts, ...(await clipFacts(kind, url)) };
  return facts;
}

function pictureFacts(url: string, type: string): Promise<Partial<Facts>> {
  const picture = new Image();
  return new Promise((resolve) => {
    picture.onload = () => resolve({ width: picture.naturalWidth, height: picture.naturalHeight });
    picture.onerror = () => resolve({ isBroken: OPENED_ANYWHERE.includes(type) });
    picture.src = url;
  });
}

function clipFacts(kind: "video" | "audio", url: string): Promise<Partial<Facts>> {
  const clip = document.createElement(kind);
  return new Promise((resolve) => {
    clip.onloadedmetadata = () => {
      const seconds = Number.isFinite(clip.duration) ? clip.duration : null;
      const size = clip instanceof HTMLVideoElement ? { width: clip.videoWidth, height: clip.videoHeight } : {};
      resolve({ seconds, ...size });
    };
    clip.onerror = () => resolve({});
    clip.preload = "metadata";
    clip.src = url;
  });
}
