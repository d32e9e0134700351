import { ApiError } from "@cairn/api/errors";
import { expect, test, vi } from "vitest";
import { framed, parted, type Small } from "./batch";
import { Blake3 } from "./blake3";
import type { Hasher } from "./hasher";
import { ofDrop } from "./pick";
import { type Picked, pathProblem, plan } from "./plan";
import { Rate } from "./rate";
import { type Entry, ended, makeTransport, patience, type Slice, type Transport } from "./transport";
import { each, FileError, type Progress, Upload } from "./upload";

/** The input of BLAKE3's test vectors. */
const input = (length: number) => Uint8Array.from({ length }, (_, index) => index % 251);

/** Source: BLAKE3's test_vectors.json, the first 32 bytes of `hash`. */
const VECTORS: [number, string][] = [
  [0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"],
  [1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"],
  [1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11"],
  [1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"],
  [1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"],
  [2048, "e776b6028c7cd22a4d0ba182a8bf62205d2ef576467e838ed6f2529b85fba24a"],
  [2049, "5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b6879522563030"],
  [3073, "7124b49501012f81cc7f11ca069ec9226cecb8a2c850cfe644e327d22d3e1cd3"],
  [8193, "bab6c09cb8ce8cf459261398d2e7aef35700bf488116ceb94a36d0f5f1b7bc3b"],
  [31744, "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47"],
  [102400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"],
];

const hashOf = (bytes: Uint8Array) => new Blake3().update(bytes).digest();
const picked = (path: string, content: string | Uint8Array = path): Picked => ({
  path,
  file: new File([content as BlobPart], path.slice(path.lastIndexOf("/") + 1)),
});

test("hashes are those of BLAKE3's test vectors", () => {
  for (const [length, hash] of VECTORS) expect(hashOf(input(length)), `${length} bytes`).toBe(hash);
});

test("a hash does not depend on the pieces in which content comes", () => {
  const bytes = input(70_001);
  for (const size of [1, 63, 1024, 1025, 4096, 65_536]) {
    const hasher = new Blake3();
    for (let at = 0; at < bytes.length; at += size) hasher.update(bytes.subarray(at, at + size));
    expect(hasher.digest()).toBe(hashOf(bytes));
  }
});

test("a folder is the top of a version, several keep their names", () => {
  const paths = (...all: string[]) => plan(all.map(path => picked(path))).files.map(each => each.path);
  expect(paths("digits/b.csv", "digits/a/x.csv")).toEqual(["a/x.csv", "b.csv"]);
  expect(paths("train/a", "test/a")).toEqual(["test/a", "train/a"]);
  expect(paths("digits/a", "README.md")).toEqual(["README.md", "digits/a"]);
  expect(paths("a.csv")).toEqual(["a.csv"]);
});

test("what no version can hold is left out and named", () => {
  const { files, leftOut } = plan([picked("top/ok"), picked(`top/${"n".repeat(300)}`), picked("top/a/../b")]);
  expect(files.map(each => each.path)).toEqual(["ok"]);
  expect(leftOut.map(each => each.why)).toEqual([
    "its name is too long",
    "part of its path has no name of its own",
  ]);
  expect(pathProblem("<img src=x onerror=alert(1)>.txt")).toBeNull();
});

test("of files that cannot be together one is left out and named", () => {
  const { files, leftOut } = plan([
    picked("a.csv", "first"),
    picked("a.csv", "second"),
    picked("b", "a file"),
    picked("b/c/d"),
    picked("b/c"),
    picked("caf\uFFFD.csv"),
    picked([...Array(64).fill("d"), "f"].join("/")),
    picked([...Array(63).fill("d"), "f"].join("/")),
  ]);
  expect(files.map(each => each.path.slice(0, 5))).toEqual(["a.csv", "b/c/d", "d/d/d"]);
  expect(files[0]?.file.size).toBe("first".length);
  expect(leftOut.map(each => `${each.path.slice(0, 5)}: ${each.why}`)).toEqual([
    "a.csv: another picked file has this path",
    "caf\uFFFD.: its name is not Unicode",
    "d/d/d: it is deeper than 64 folders",
    "b/c: other picked files have it as their folder",
    "b: other picked files have it as their folder",
  ]);
});

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

/** A server that keeps what it is sent, and fails as `fault` says. */
class Server implements Transport {
  readonly entries: Entry[] = [];
  readonly kept = new Map<string, Uint8Array>();
  readonly asked: string[] = [];
  readonly aborted: string[] = [];
  /** Refuses what is declared and sent, where it is set. */
  refuse: (upload: string) => ApiError | null = () => null;
  /** What every request for a content waits for. */
  held: (signal: AbortSignal) => Promise<void> = async () => undefined;
  refuseBatches: (batches: number) => ApiError | null = () => null;
  begun = 0;
  puts = 0;
  batches = 0;
  constructor(
    private readonly fault: (puts: number) => "drop" | "half" | null = () => null,
    private readonly had = new Set<string>(),
  ) {}
  begin = async () => `u-${++this.begun}`;
  declare = async (upload: string, entries: Entry[]) => {
    const refused = this.refuse(upload);
    if (refused) throw refused;
    this.entries.push(...entries);
    return entries.map(entry => entry.hash).filter(hash => !this.had.has(hash) && !this.state(hash).complete);
  };
  received = async (_: string, hash: string) => {
    this.asked.push(hash);
    return this.state(hash);
  };
  put = async (upload: string, hash: string, { offset, body }: Slice, signal: AbortSignal) => {
    this.puts += 1;
    await this.held(signal);
    const refused = this.refuse(upload);
    if (refused) throw refused;
    const before = this.kept.get(hash) ?? new Uint8Array();
    if (offset > before.length) throw new ApiError(409, "conflict", "Not that much is here.", null);
    const fault = this.fault(this.puts);
    if (fault === "drop") throw new ApiError(0, "unreachable", "The server cannot be reached.", null);
    const all = new Uint8Array(await body.arrayBuffer());
    const some = fault === "half" ? all.subarray(0, Math.ceil(all.length / 2)) : all;
    this.kept.set(hash, Uint8Array.of(...before.subarray(0, offset), ...some));
    if (fault) throw new ApiError(0, "unreachable", "The server cannot be reached.", null);
    return this.state(hash);
  };
  putSmall = async (upload: string, contents: Small[]) => {
    this.batches += 1;
    const refused = this.refuse(upload) ?? this.refuseBatches(this.batches);
    if (refused) throw refused;
    for (const { hash, file } of contents) this.kept.set(hash, new Uint8Array(await file.arrayBuffer()));
  };
  abort = async (upload: string) => {
    this.aborted.push(upload);
  };
  private state(hash: string) {
    const offset = this.kept.get(hash)?.length ?? 0;
    const { size } = this.entries.find(entry => entry.hash === hash) as Entry;
    return { offset, complete: this.kept.has(hash) && offset === size };
  }
}

const hasher: Hasher = {
  width: 2,
  hash: async (file, onBytes) => {
    onBytes(file.size);
    return hashOf(new Uint8Array(await file.arrayBuffer()));
  },
  close: () => undefined,
};

function upload(files: Picked[], transport: Transport, with_: Partial<Hasher> = {}) {
  const told: Progress[] = [];
  const made = new Upload(files, {
    transport,
    hasher: { ...hasher, ...with_ },
    onProgress: progress => told.push(progress),
    wait: async () => undefined,
  });
  return { made, told };
}

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

const many = (count: number) => Array.from({ length: count }, (_, at) => picked(`file-${at}`));

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

const UNREACHABLE = new ApiError(0, "unreachable", "The server cannot be reached.", null);

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

test("after a broken connection it asks how far it came and goes on from there", async () => {
  const content = input(1000);
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

const conflict = (message: string) => new ApiError(409, "conflict", message, null);
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

/** What a browser gives of a dropped folder: a reader tells its entries in portions. */
function dropped(name: string, content: Record<string, string>): FileSystemEntry {
  const children = Object.entries(content).map(([child, text]) => ({
    name: child,
    isFile: true,
    isDirectory: false,
    file: (take: (file: File) => void) => take(new File([text], child)),
  }));
  const createReader = () => {
    const portions = [children.slice(0, 1), children.slice(1), []];
    return { readEntries: (take: (some: unknown[]) => void) => take(portions.shift() ?? []) };
  };
  return { name, isFile: false, isDirectory: true, createReader } as unknown as FileSystemEntry;
}

test("a dropped folder is read to its end", async () => {
  const items = [dropped("digits", { a: "1", b: "2", c: "3" })];
  const transfer = { items: items.map(entry => ({ webkitGetAsEntry: () => entry })), files: [] };
  const found = await ofDrop(transfer as unknown as DataTransfer);
  expect(found.map(each => each.path)).toEqual(["digits/a", "digits/b", "digits/c"]);
  expect(plan(found).files.map(each => each.path)).toEqual(["a", "b", "c"]);
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

test("the rate is that of the last seconds", () => {
  const rate = new Rate();
  expect(rate.perSecond).toBeNull();
  for (let second = 0; second <= 20; second += 1)
    rate.add(second * 1000, second < 10 ? 0 : (second - 10) * 100);
  expect(rate.perSecond).toBe(100);
  rate.add(21_000, 5);
  expect(rate.perSecond).toBeNull();
});
