import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LoadError, loadPart } from "@/shell/loading";

const online = new EventTarget();
let serverAnswers = true;

beforeEach(() => {
  serverAnswers = true;
  vi.useFakeTimers();
  vi.stubGlobal("window", globalThis);
  vi.stubGlobal("addEventListener", online.addEventListener.bind(online));
  vi.stubGlobal("fetch", async () => {
    if (!serverAnswers) throw new TypeError("Failed to fetch");
    return new Response();
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const broken = (times: number) => {
  let left = times;
  return vi.fn(async () => {
    left -= 1;
    if (left >= 0) throw new TypeError("Failed to fetch dynamically imported module");
    return "part";
  });
};

it("of the first page tells why it cannot be there", async () => {
  await expect(loadPart(broken(1), () => true)).rejects.toMatchObject({ trouble: "outdated" });
  serverAnswers = false;
  const error = await loadPart(broken(1), () => true).catch((why: unknown) => why);
  expect(error).toBeInstanceOf(LoadError);
  expect(error).toMatchObject({ trouble: "offline" });
});

it("of another page waits, and is there when the network is back", async () => {
  serverAnswers = false;
  const load = broken(1);
  const loaded = loadPart(load);
  await vi.advanceTimersByTimeAsync(100);
  expect(load).toHaveBeenCalledTimes(1);
  online.dispatchEvent(new Event("online"));
  expect(await loaded).toBe("part");
});

it("is tried again by itself, since a server that is back tells nobody", async () => {
  const load = broken(2);
  const loaded = loadPart(load);
  await vi.advanceTimersByTimeAsync(11_000);
  expect(await loaded).toBe("part");
  expect(load).toHaveBeenCalledTimes(3);
});
