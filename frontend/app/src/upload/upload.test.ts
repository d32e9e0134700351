import { ApiError } from "@cairn/api/errors";
import { expect, test, vi } from "vitest";
import { conflict, hashOf, picked, Server, upload } from "./testing";
import { ended, makeTransport, patience, type Slice } from "./transport";
import { each, FileError } from "./upload";

test("some at a time, and a failure begins nothing new", async () => {
  let now = 0;
  let most = 0;
  const begun: number[] = [];
  const work = async (item: number) => {
    begun.push(item);
    most = Math.max(most, ++now);
    await Promise.resolve();
    now -= 1;
    if (item === 4) throw new Error("four");
  };
  await expect(each([1, 2, 3, 4, 5, 6, 7, 8, 9], 3, work)).rejects.toThrow("four");
  expect(most).toBe(3);
  expect(begun).not.toContain(9);
});

test("what is the same or there already is not sent again", async () => {
  const there = picked("there", "known");
  const server = new Server(() => null, new Set([hashOf(new TextEncoder().encode("known"))]));
  const { made, told } = upload(
    [picked("a", "same"), picked("b", "same"), picked("empty", ""), there],
    server,
  );
  expect(await made.run()).toBe("u-1");
  expect(server.entries.map(entry => [entry.path, entry.size])).toEqual([
    ["a", 4],
    ["b", 4],
    ["empty", 0],
    ["there", 5],
  ]);
  expect(server.kept.size).toBe(2);
  expect(told.at(-1)).toMatchObject({ phase: "sent", files: 2, allFiles: 2, bytes: 4, allBytes: 4 });
});

test("after a broken connection it asks how far it came and goes on from there", async () => {
  const content = Uint8Array.from({ length: 1000 }, (_, at) => at % 251);
  const server = new Server(puts => (puts === 1 ? "half" : puts === 2 ? "drop" : null));
  const { made, told } = upload([picked("big.bin", content)], server);
  await made.run();
  expect(server.kept.get(hashOf(content))).toEqual(content);
  expect(server.asked).toHaveLength(2);
  expect(told.some(each => each.isBroken)).toBe(true);
  expect(told.at(-1)).toMatchObject({ bytes: 1000, isBroken: false });
});

test("what does not get through names the file, and goes on when asked to", async () => {
  let isDown = true;
  const server = new Server(() => (isDown ? "drop" : null));
  const { made } = upload([picked("a/b.csv")], server);
  const failure = await made.run().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(FileError);
  expect((failure as FileError).message).toBe("a/b.csv does not get through. The server cannot be reached.");
  isDown = false;
  expect(await made.run()).toBe("u-1");
  expect(server.kept.size).toBe(1);
});

test("a file that cannot be read is named", async () => {
  const hash = async (): Promise<string> => {
    throw new Error("NotFoundError");
  };
  const { made } = upload([picked("gone.csv")], new Server(), { hash });
  await expect(made.run()).rejects.toThrow("gone.csv cannot be read");
});

const SEALED = conflict("The upload is sealed.");
const OVER = conflict("The upload was aborted or expired.");

test("what was sent is not sent again where only the rest failed", async () => {
  const server = new Server();
  const { made } = upload([picked("a"), picked("b")], server);
  expect([await made.run(), await made.run()]).toEqual(["u-1", "u-1"]);
  expect(server.puts).toBe(2);
});

test("what the server lost meanwhile is sent again", async () => {
  const server = new Server();
  const { made } = upload([picked("a"), picked("b")], server);
  await made.run();
  server.kept.delete(hashOf(new TextEncoder().encode("b")));
  expect(await made.run()).toBe("u-1");
  expect(server.puts).toBe(3);
});

test("an upload that was sealed already has everything", async () => {
  const server = new Server();
  const { made, told } = upload([picked("a")], server);
  await made.run();
  server.refuse = () => SEALED;
  expect(await made.run()).toBe("u-1");
  expect(told.at(-1)?.phase).toBe("sent");
});

test("where an upload has expired, another one takes everything", async () => {
  const server = new Server();
  const { made } = upload([picked("a")], server);
  await made.run();
  server.kept.clear();
  server.refuse = id => (id === "u-1" ? OVER : null);
  expect(await made.run()).toBe("u-2");
  expect(server.kept.size).toBe(1);
});

test("one that ends while it is sent is begun anew, once", async () => {
  const server = new Server();
  const { made } = upload([picked("a")], server);
  server.declare = async (_, entries) => entries.map(entry => entry.hash);
  server.refuse = () => OVER;
  await expect(made.run()).rejects.toBe(OVER);
  expect([server.begun, server.puts]).toEqual([2, 2]);
});

test("a conflict that lasts names the file in the end", async () => {
  const server = new Server();
  server.put = async () => {
    server.puts += 1;
    throw conflict("Another request is sending this object.");
  };
  const { made, told } = upload([picked("a.csv")], server);
  await expect(made.run()).rejects.toThrow(
    "a.csv does not get through. Another request is sending this object.",
  );
  expect(server.puts).toBeGreaterThan(5);
  expect(told.some(each => each.isBroken)).toBe(false);
});

test("what is not the content that was read counts as changed, and is not tried again", async () => {
  const server = new Server();
  server.put = async () => {
    server.puts += 1;
    throw new ApiError(400, "invalid", "The content is not what its hash says.", null);
  };
  const { made } = upload([picked("a.csv")], server);
  await expect(made.run()).rejects.toThrow("a.csv was changed, moved or deleted while it was sent");
  expect(server.puts).toBe(1);
});

test("a file that can no longer be read is not tried again", async () => {
  const server = new Server(() => "drop");
  const gone = picked("a.csv", "content");
  const { made } = upload([gone], server);
  const slice = gone.file.slice.bind(gone.file);
  gone.file.slice = (...range) => {
    const part = slice(...range);
    if (server.puts > 0)
      part.arrayBuffer = () => Promise.reject(new DOMException("gone", "NotReadableError"));
    return part;
  };
  await expect(made.run()).rejects.toThrow("a.csv was changed, moved or deleted while it was sent");
  expect(server.puts).toBe(1);
});

test("what ended is known by the server's words alone", () => {
  expect([ended(SEALED), ended(OVER)]).toEqual(["sealed", "over"]);
  expect(ended(conflict("The upload is being sealed."))).toBeNull();
  expect(ended(new ApiError(400, "invalid", SEALED.message, null))).toBeNull();
  expect(ended(new Error(SEALED.message))).toBeNull();
});

test("what became a version is not given up any more", async () => {
  const server = new Server();
  const { made } = upload([picked("a")], server);
  await made.run();
  made.complete();
  await made.cancel();
  expect(made.isCancelled).toBe(true);
  expect(server.aborted).toEqual([]);
});

test("a slow line has time for its slice, and the server for proving the whole", () => {
  const slice = (offset: number, bytes: number, size: number): Slice => ({
    offset,
    body: { size: bytes } as Blob,
    size,
  });
  const EIGHT = 8 << 20;
  expect(patience(slice(0, 0, 0))).toBe(120_000);
  expect(patience(slice(0, EIGHT, 1e12))).toBe(120_000 + 128_000);
  expect(patience(slice(1e12 - EIGHT, EIGHT, 1e12))).toBe(120_000 + 128_000 + 20_000_000);
});

test("an answer that breaks off is one that may be asked for again", async () => {
  const { put } = makeTransport("p");
  const send = (signal = new AbortController().signal) =>
    put("u-1", "h", { offset: 0, body: new Blob(["a"]), size: 1 }, signal);
  const answer = vi.fn(async () => new Response('{"offset": 1, "compl'));
  vi.stubGlobal("fetch", answer);
  await expect(send()).rejects.toMatchObject({ status: 0, code: "unreachable" });
  answer.mockResolvedValue(
    Response.json({ code: "invalid", message: "No.", request_id: "r" }, { status: 400 }),
  );
  await expect(send()).rejects.toMatchObject({ status: 400, message: "No." });
  answer.mockRejectedValue(new DOMException("stop", "AbortError"));
  await expect(send(AbortSignal.abort())).rejects.toMatchObject({ name: "AbortError" });
  vi.unstubAllGlobals();
});

test("cancelling ends what is on its way, and gives up what was sent", async () => {
  const server = new Server();
  const signals: AbortSignal[] = [];
  server.held = signal =>
    new Promise((_, reject) => {
      signals.push(signal);
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  const { made } = upload(
    [..."abcdef"].map(name => picked(name)),
    server,
  );
  const failed = expect(made.run()).rejects.toThrow();
  await vi.waitFor(() => expect(signals).toHaveLength(4));
  await made.cancel();
  await failed;
  expect(signals.every(signal => signal.aborted)).toBe(true);
  expect(server.puts).toBe(4);
  expect(server.aborted).toEqual(["u-1"]);
});
