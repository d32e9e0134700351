import { ApiError } from "@cairn/api/errors";
import { expect, test } from "vitest";
import { framed, parted } from "./batch";
import type { Picked } from "./plan";
import { conflict, many, picked, Server, UNREACHABLE, upload } from "./testing";

test("many small files go together, and large ones alone", async () => {
  const server = new Server();
  const { made, told } = upload([...many(1100), picked("large", new Uint8Array(300_000))], server);
  await made.run();
  expect([server.batches, server.puts, server.kept.size]).toEqual([3, 1, 1101]);
  expect(told.at(-1)).toMatchObject({ files: 1101, allFiles: 1101 });
  expect(told.at(-1)?.bytes).toBe(told.at(-1)?.allBytes);
});

test.each([400, 404, 405])("what a server does not take together (%i) is sent file by file", async status => {
  const server = new Server();
  server.refuseBatches = () =>
    new ApiError(status, "invalid", "The content is not what its hash says.", null);
  const { made } = upload(many(20), server);
  await made.run();
  expect([server.batches, server.puts, server.kept.size]).toEqual([1, 20, 20]);
});

test.each([0, 429, 502])(
  "what goes together is sent again together where that may help (%i)",
  async status => {
    const server = new Server();
    server.refuseBatches = batches => (batches < 3 ? new ApiError(status, "busy", "Not now.", null) : null);
    const { made, told } = upload(many(20), server);
    await made.run();
    expect([server.batches, server.puts, server.kept.size]).toEqual([3, 0, 20]);
    expect(told.some(each => each.isBroken)).toBe(true);
    expect(told.at(-1)).toMatchObject({ files: 20, isBroken: false });
  },
);

test("a server that stays away is told as that, not as the matter of a file", async () => {
  const server = new Server();
  server.refuseBatches = () => UNREACHABLE;
  const { made } = upload(many(20), server);
  await expect(made.run()).rejects.toBe(UNREACHABLE);
  expect(server.puts).toBe(0);
});

test.each([401, 403])("who may not send (%i) is told so, whatever was sent", async status => {
  const refused = new ApiError(status, "refused", "Not you.", null);
  for (const files of [many(20), many(1)]) {
    const server = new Server();
    server.putSmall = () => Promise.reject(refused);
    server.put = () => Promise.reject(refused);
    await expect(upload(files, server).made.run()).rejects.toBe(refused);
  }
});

test("of several that go together the one that can no longer be read is named at once", async () => {
  const server = new Server();
  server.refuseBatches = () => UNREACHABLE;
  const files = many(20);
  const gone = (files[7] as Picked).file;
  const slice = gone.slice.bind(gone);
  gone.slice = (...range) => {
    const part = slice(...range);
    part.arrayBuffer = () => Promise.reject(new DOMException("gone", "NotReadableError"));
    return part;
  };
  const { made } = upload(files, server);
  await expect(made.run()).rejects.toThrow("file-7 was changed, moved or deleted while it was sent");
  expect([server.batches, server.puts]).toEqual([1, 0]);
});

test("an upload that has ended is not gone on with file by file", async () => {
  const server = new Server();
  server.refuseBatches = () => conflict("The upload was aborted or expired.");
  const { made } = upload(many(20), server);
  await expect(made.run()).rejects.toThrow("aborted or expired");
  expect([server.begun, server.puts]).toEqual([2, 0]);
});

test("no request carries more than four megabytes or 512 contents", () => {
  const sized = (size: number) => ({ hash: "", file: { size } as Blob });
  const parts = parted(Array.from({ length: 2000 }, (_, at) => sized(at % 2 ? 200_000 : 0)));
  for (const part of parts) {
    expect(part.length).toBeLessThanOrEqual(512);
    expect(part.reduce((sum, { file }) => sum + file.size, 0)).toBeLessThanOrEqual(4 << 20);
  }
  expect(parts.flat()).toHaveLength(2000);
  expect(parted(Array.from({ length: 7 }, () => sized(1)))).toHaveLength(7);
  expect(parted([])).toEqual([]);
});

test("a frame is the hash, the length and the content", async () => {
  const bytes = await framed([
    { hash: "ab".repeat(32), file: new Blob(["hello"]) },
    { hash: "01".repeat(32), file: new Blob([]) },
  ]).arrayBuffer();
  const expected = [...Array(32).fill(0xab), 5, ...Array(7).fill(0), ...new TextEncoder().encode("hello")];
  expect([...new Uint8Array(bytes)]).toEqual([...expected, ...Array(32).fill(1), ...Array(8).fill(0)]);
});
