import { uploads } from "@cairn/mock/uploads";
import { getResponse } from "msw";
import { beforeEach, expect, test, vi } from "vitest";
import { framed } from "./batch";
import { makeTransport } from "./transport";

const ORIGIN = "http://localhost";
async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await getResponse(uploads, new Request(ORIGIN + path, init), { baseUrl: ORIGIN });
  return response ?? new Response(null, { status: 501 });
}
const post = async (path: string, body: unknown) =>
  (await ask(`/api/v1${path}`, { method: "POST", body: JSON.stringify(body) })).json();

beforeEach(() => {
  vi.stubGlobal("fetch", (path: string, init: RequestInit) => ask(path, init));
  return () => vi.unstubAllGlobals();
});

/** Bytes that are no text, so that none is lost or changed on the way. */
const content = Uint8Array.from({ length: 1000 }, (_, index) => (index * 7) % 256);
const slice = (from: number, to: number) => ({
  offset: from,
  body: new Blob([content.subarray(from, to)]),
  size: content.length,
});
const { signal } = new AbortController();

test("a content is sent in slices, and its head says how far it has come", async () => {
  const { id } = await post("/projects/p/uploads", {});
  const entry = { path: "a.bin", hash: "aa", size: content.length };
  expect(await post(`/uploads/${id}/entries`, [entry, { ...entry, path: "b.bin" }])).toEqual({
    missing: ["aa"],
  });
  const { put, received } = makeTransport("p");
  expect(await received(id, "aa", signal)).toEqual({ offset: 0, complete: false });
  expect(await put(id, "aa", slice(0, 300), signal)).toEqual({ offset: 300, complete: false });
  expect(await received(id, "aa", signal)).toEqual({ offset: 300, complete: false });
  await expect(put(id, "aa", slice(500, 1000), signal)).rejects.toMatchObject({ status: 409 });
  expect(await put(id, "aa", slice(200, 1000), signal)).toEqual({ offset: 1000, complete: true });
  expect(await received(id, "aa", signal)).toEqual({ offset: 1000, complete: true });
  expect(await post(`/uploads/${id}/entries`, [entry])).toEqual({ missing: [] });
});

test("small contents go together", async () => {
  const { id } = await post("/projects/p/uploads", {});
  const [one, two] = ["0a".repeat(32), "f0".repeat(32)];
  const entry = (path: string, hash: string, size: number) => ({ path, hash, size });
  await post(`/uploads/${id}/entries`, [entry("one", one, 3), entry("two", two, 0)]);
  const { putSmall, received } = makeTransport("p");
  const contents = [
    { hash: one, file: new Blob(["one"]) },
    { hash: two, file: new Blob([]) },
  ];
  await putSmall(id, contents, signal);
  expect(await received(id, one, signal)).toEqual({ offset: 3, complete: true });
  expect(await received(id, two, signal)).toEqual({ offset: 0, complete: true });
  const other = [{ hash: "bb".repeat(32), file: new Blob(["?"]) }];
  await expect(putSmall(id, other, signal)).rejects.toMatchObject({ status: 404 });
});

test("what is cut short in its head or its content is refused, and not kept", async () => {
  const { id } = await post("/projects/p/uploads", {});
  const hash = "0b".repeat(32);
  await post(`/uploads/${id}/entries`, [{ path: "one", hash, size: 3 }]);
  const whole = framed([{ hash, file: new Blob(["one"]) }]);
  const send = (body: Blob) => ask(`/api/v1/uploads/${id}/objects`, { method: "POST", body });
  for (const bytes of [20, 39, 40, 42])
    expect((await send(whole.slice(0, bytes))).status, `${bytes}`).toBe(400);
  expect(await makeTransport("p").received(id, hash, signal)).toEqual({ offset: 0, complete: false });
  expect((await send(whole)).status).toBe(200);
});

test("what was not declared has no head", async () => {
  const { id } = await post("/projects/p/uploads", {});
  await expect(makeTransport("p").received(id, "bb", signal)).rejects.toMatchObject({ status: 404 });
});
