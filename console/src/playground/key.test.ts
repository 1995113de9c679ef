import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Said } from "@/lib/tabs";

const ACCESS = { book: "test", customer: "cus_1" } as const;
const post = vi.fn();
const remove = vi.fn();
vi.mock("@/api/client", () => ({ api: { POST: post, DELETE: remove }, call: (request: () => unknown) => request() }));

type Tab = typeof import("@/playground/key");
let tabs: { listeners: Set<(said: Said) => void> }[] = [];

function storage() {
  const kept = new Map<string, string>();
  return {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, text: string) => kept.set(name, text),
    removeItem: (name: string) => kept.delete(name),
  };
}

/** One more tab of the browser: modules and a storage of its own. */
async function openTab(): Promise<{ tab: Tab; use: () => void }> {
  vi.resetModules();
  const own = { listeners: new Set<(said: Said) => void>() };
  const session = storage();
  const use = (): void => void vi.stubGlobal("sessionStorage", session);
  vi.doMock("@/lib/tabs", () => ({
    tellTabs: (said: Said) => tabs.filter((one) => one !== own).forEach((one) => one.listeners.forEach((listener) => listener(said))),
    onTabs: (listener: (said: Said) => void) => own.listeners.add((said) => listener(said)),
  }));
  use();
  const tab = await import("@/playground/key");
  const here = globalThis.sessionStorage;
  const inside = (listener: (said: Said) => void) => (said: Said) => {
    const before = globalThis.sessionStorage;
    vi.stubGlobal("sessionStorage", here);
    listener(said);
    vi.stubGlobal("sessionStorage", before);
  };
  tab.shareKeys();
  own.listeners = new Set([...own.listeners].map(inside));
  tabs.push(own);
  return { tab, use };
}

beforeEach(() => {
  tabs = [];
  vi.stubGlobal("localStorage", storage());
  let made = 0;
  post.mockReset().mockImplementation(async () => {
    made += 1;
    return { id: `key_${made}`, key: `yj_test_${made}`, prefix: "yj_test" };
  });
  remove.mockReset().mockResolvedValue(undefined);
});
afterEach(() => vi.unstubAllGlobals());

const removed = (): string[] => remove.mock.calls.map(([, how]) => (how as { params: { path: { key_id: string } } }).params.path.key_id);

it("tabs share one key, and a newer one replaces it in all of them", async () => {
  const [first, second] = [await openTab(), await openTab()];
  first.use();
  expect((await first.tab.playgroundKey(ACCESS)).id).toBe("key_1");
  second.use();
  expect((await second.tab.playgroundKey(ACCESS)).id).toBe("key_1");
  expect(post).toHaveBeenCalledTimes(1);
  expect((await second.tab.replaceKey(ACCESS, "yj_test_1")).id).toBe("key_2");
  await vi.waitFor(() => expect(removed()).toEqual(["key_1"]));
  first.use();
  expect((await first.tab.playgroundKey(ACCESS)).id).toBe("key_2");
});

it("who signs out leaves no key, not even those of tabs that were closed", async () => {
  const closed = await openTab();
  await closed.tab.playgroundKey(ACCESS);
  tabs = [];
  const { tab, use } = await openTab();
  use();
  await tab.playgroundKey({ ...ACCESS, book: "live" });
  const { ApiError } = await import("@/api/errors");
  remove.mockRejectedValueOnce(new ApiError(404, "not_found", ""));
  await tab.revokeKeys(ACCESS.customer);
  expect(removed()).toEqual(["key_1", "key_2"]);
  expect(sessionStorage.getItem("yuanjing.playground.live")).toBeNull();
  expect(localStorage.getItem("yuanjing.playground.made")).toBeNull();
});

it("another customer's keys are not touched", async () => {
  const { tab } = await openTab();
  await tab.playgroundKey(ACCESS);
  await tab.playgroundKey({ ...ACCESS, customer: "cus_2" });
  await tab.revokeKeys("cus_2");
  expect(removed()).toEqual(["key_2"]);
});

it.each([["zh", "体验区"], ["en", "Playground"]])("in %s a key is called %s", async (language, name) => {
  vi.doMock("i18next", () => ({ default: { language } }));
  const { tab } = await openTab();
  await tab.playgroundKey(ACCESS);
  expect(post.mock.calls[0]?.[1]).toMatchObject({ body: { name } });
  vi.doUnmock("i18next");
});
