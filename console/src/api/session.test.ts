import { afterEach, beforeEach, expect, it, vi } from "vitest";

/** A platform that knows cookies and tokens, as far as the client has to do with them. */
function platform() {
  const state = { cookie: "A" as string | null, token: "token-A1", asked: [] as string[] };
  const json = (status: number, body: unknown) => new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
  const refuse = (status: number, code: string) => json(status, { error: { code, message: code, param: null } });
  async function fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    state.asked.push(`${request.method} ${pathname}`);
    const customer = state.cookie === null ? null : { id: `cus_${state.cookie}`, mobile: "", name: state.cookie, created_at: "" };
    if (pathname === "/api/auth/session") return json(200, { csrf_token: state.token, customer });
    if (state.cookie === null) return refuse(401, "not_signed_in");
    if (request.headers.get("x-csrf-token") !== state.token) return refuse(403, "forgery_suspected");
    return json(200, { whose: state.cookie });
  }
  return { state, fetch };
}

const memory = () => {
  const kept = new Map<string, string>();
  return { getItem: (name: string) => kept.get(name) ?? null, setItem: (name: string, value: string) => kept.set(name, value), removeItem: (name: string) => kept.delete(name), key: (at: number) => [...kept.keys()][at] ?? null, get length() { return kept.size; } };
};

let platformOf: ReturnType<typeof platform>;

async function opened() {
  const [client, session, { queries }] = await Promise.all([import("@/api/client"), import("@/api/session"), import("@/api/queries")]);
  await session.loadSession();
  const balance = () => client.call(() => client.api.GET("/api/balance")) as Promise<unknown>;
  return { ...client, ...session, queries, balance };
}

vi.setConfig({ testTimeout: 30_000 }); // each test loads all modules anew

beforeEach(() => {
  vi.resetModules();
  platformOf = platform();
  const base = "http://platform.test/";
  vi.stubGlobal("location", new URL(base));
  vi.stubGlobal("sessionStorage", memory());
  const Real = Request;
  vi.stubGlobal("Request", class extends Real { constructor(input: RequestInfo | URL, init?: RequestInit) { super(typeof input === "string" ? new URL(input, base) : input, init); } });
  vi.stubGlobal("fetch", platformOf.fetch);
});
afterEach(() => vi.unstubAllGlobals());

it("a session of the same customer that another window has begun goes on by itself", async () => {
  const page = await opened();
  platformOf.state.token = "token-A2";
  expect(await page.balance()).toEqual({ whose: "A" });
});

it("another customer's session is neither read nor acted in, and the tab stays its owner's", async () => {
  const page = await opened();
  Object.assign(platformOf.state, { cookie: "B", token: "token-B1", asked: [] });
  await expect(page.balance()).rejects.toMatchObject({ name: "OtherCustomerError" });
  expect(platformOf.state.asked).toEqual(["GET /api/balance", "GET /api/auth/session"]);
  expect((await page.loadSession()).customer?.id).toBe("cus_A");
  Object.assign(platformOf.state, { cookie: "A", token: "token-A2" });
  await page.loadSession();
  expect(await page.balance()).toEqual({ whose: "A" });
});

it("a session that has ended is told, and what was heard stays for its owner", async () => {
  const page = await opened();
  page.queries.setQueryData(["keys", "list"], "of A");
  platformOf.state.cookie = null;
  const ended = vi.fn(() => Promise.resolve(false));
  page.onSessionEnd(ended);
  await expect(page.balance()).rejects.toMatchObject({ code: "not_signed_in" });
  expect(ended).toHaveBeenCalledOnce();
  expect(page.queries.getQueryData(["keys", "list"])).toBe("of A");
});

it("nothing of one customer is left for the next who signs in in the tab", async () => {
  const page = await opened();
  page.queries.setQueryData(["keys", "list"], "of A");
  sessionStorage.setItem("yuanjing.private.payment.top_1", "{}");
  sessionStorage.setItem("yuanjing.playground.test", "{}");
  const late = page.balance(); // under way while the other one signs in
  const session = { csrf_token: "token-B1", customer: { id: "cus_B", mobile: "", name: "B", created_at: "" } };
  page.keepSession(session as never);
  await expect(late).rejects.toMatchObject({ name: "OtherCustomerError" });
  expect(page.queries.getQueryData(["keys", "list"])).toBeUndefined();
  expect(sessionStorage.length).toBe(0);
});

it("signing in again as the same customer keeps what is there", async () => {
  const page = await opened();
  page.queries.setQueryData(["keys", "list"], "of A");
  page.keepSession({ csrf_token: "token-A2", customer: { id: "cus_A", mobile: "", name: "A", created_at: "" } } as never);
  expect(page.queries.getQueryData(["keys", "list"])).toBe("of A");
});
