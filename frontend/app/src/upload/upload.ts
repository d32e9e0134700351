/**
 * Sends files as an upload: hashes them, says what there is, sends what the project does not have yet, goes on where a connection broke.
 * Knows neither how hashes are made nor how the server is reached.
 */
import { ApiError, isStatus } from "@cairn/api/errors";
import { parted, type Small } from "./batch";
import type { Hasher } from "./hasher";
import type { Picked } from "./plan";
import { type Entry, ended, type Transport } from "./transport";

/** Entries that one call declares. */
const DECLARED_AT_ONCE = 2000;
/** How many contents are on their way at the same time. */
const AT_ONCE = 4;
/** What one request sends of a content. */
const SLICE_BYTES = 8 << 20;
/** How often a content is tried without a byte of progress: about two minutes. */
const TRIES = 12;
const FIRST_WAIT_MS = 500;
const MOST_WAIT_MS = 15_000;

export type Phase = "hashing" | "sending" | "sent";

export interface Progress {
  phase: Phase;
  /** Of the phase: files and bytes that are done, and that there are. */
  files: number;
  allFiles: number;
  bytes: number;
  allBytes: number;
  /** The connection broke, and is tried again. */
  isBroken: boolean;
  /** What is at hand. */
  path: string | null;
}

/** What is sent: the first file that has it. */
type Content = Picked & Small;

/** What is the matter with one of the files. */
export class FileError extends Error {
  override readonly name = "FileError";
  constructor(
    readonly path: string,
    why: string,
    options?: ErrorOptions,
  ) {
    super(`${path} ${why}`, options);
  }
}

export interface Parts {
  transport: Transport;
  hasher: Hasher;
  onProgress: (progress: Progress) => void;
  wait?: (ms: number) => Promise<void>;
}

const sleep = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms));

/** Does `work` for every item, some at a time. After a failure nothing new is begun; it is told once all have ended. */
export async function each<T>(items: T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const failures: unknown[] = [];
  const lane = async () => {
    while (next < items.length && failures.length === 0) {
      const item = items[next++] as T;
      await work(item).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
  if (failures.length > 0) throw failures[0];
}

/** Whether another try may fare better. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  return error.status === 0 || error.status >= 500 || [408, 425, 429].includes(error.status);
}

/** What the server says of one of several contents, or of taking them together. */
const isOfPart = (error: unknown): boolean => [400, 404, 405].some(status => isStatus(error, status));

/** What the server says of who asks, not of what is sent. */
const isOfPerson = (error: unknown): boolean => isStatus(error, 401) || isStatus(error, 403);

/** Another request still sends the same content, as one does that broke and that the server waits for; or more of it is said to be there than is. */
const isElsewhere = (error: unknown): boolean => isStatus(error, 409);

/** A file that was changed, moved or deleted since it was picked can no longer be read. */
async function isReadable(file: Blob): Promise<boolean> {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

const CHANGED = "was changed, moved or deleted while it was sent. Choose the files again.";

export class Upload {
  private readonly stop = new AbortController();
  private readonly hashes = new Map<string, string>();
  private id: string | null = null;
  private progress: Progress = {
    phase: "hashing",
    files: 0,
    allFiles: 0,
    bytes: 0,
    allBytes: 0,
    isBroken: false,
    path: null,
  };

  constructor(
    private readonly files: Picked[],
    private readonly parts: Parts,
  ) {}

  /** Resolves to the id of an upload that has everything. After a failure, also of what is made of it, it may be called again, and goes on. */
  async run(): Promise<string> {
    await this.hash();
    let id = await this.begun();
    try {
      await this.fill(id);
    } catch (error) {
      if (ended(error) !== "over") throw error;
      this.id = null;
      id = await this.begun();
      await this.fill(id);
    }
    this.tell({ phase: "sent", path: null });
    return id;
  }

  private async begun(): Promise<string> {
    const { transport } = this.parts;
    const id = this.id ?? (await this.persist(() => transport.begin()));
    this.id = id;
    if (this.stop.signal.aborted) await transport.abort(id).catch(() => undefined);
    this.stop.signal.throwIfAborted();
    return id;
  }

  /** What an earlier try sent is no matter: the server says what it lacks. One that is sealed lacks nothing. */
  private async fill(id: string): Promise<void> {
    try {
      await this.send(id, await this.declare(id));
    } catch (error) {
      if (ended(error) !== "sealed") throw error;
    }
  }

  /** It has become what it was for: nothing is left to give up. */
  complete(): void {
    this.id = null;
    this.parts.hasher.close();
  }

  /** Ends it, and gives up what was sent. What is being made of it may still be made. */
  async cancel(): Promise<void> {
    this.stop.abort();
    this.parts.hasher.close();
    if (this.id) await this.parts.transport.abort(this.id).catch(() => undefined);
  }

  get isCancelled(): boolean {
    return this.stop.signal.aborted;
  }

  private tell(part: Partial<Progress>): void {
    this.progress = { ...this.progress, ...part };
    if (!this.stop.signal.aborted) this.parts.onProgress(this.progress);
  }

  /** Asks again while the server cannot be reached. */
  private async persist<T>(ask: () => Promise<T>): Promise<T> {
    const { wait = sleep } = this.parts;
    for (let tries = 1; ; tries += 1) {
      this.stop.signal.throwIfAborted();
      try {
        const answer = await ask();
        if (this.progress.isBroken) this.tell({ isBroken: false });
        return answer;
      } catch (error) {
        if (tries >= TRIES || !isPassing(error) || this.stop.signal.aborted) throw error;
        this.tell({ isBroken: true });
        await wait(Math.min(MOST_WAIT_MS, FIRST_WAIT_MS * 2 ** tries));
      }
    }
  }

  private start(phase: Phase, items: { size: number }[]): void {
    const allBytes = items.reduce((sum, item) => sum + item.size, 0);
    this.tell({ phase, files: 0, allFiles: items.length, bytes: 0, allBytes, isBroken: false });
  }

  private add(bytes: number, files = 0): void {
    this.tell({ bytes: this.progress.bytes + bytes, files: this.progress.files + files });
  }

  private async hash(): Promise<void> {
    const left = this.files.filter(({ path }) => !this.hashes.has(path));
    this.start(
      "hashing",
      left.map(({ file }) => file),
    );
    const { hasher } = this.parts;
    await each(left, hasher.width, async ({ path, file }) => {
      this.stop.signal.throwIfAborted();
      this.tell({ path });
      try {
        this.hashes.set(path, await hasher.hash(file, bytes => this.add(bytes)));
      } catch (cause) {
        throw new FileError(path, "cannot be read. Is it still there, and may you read it?", { cause });
      }
      this.add(0, 1);
    });
  }

  private async declare(upload: string): Promise<Set<string>> {
    const entries: Entry[] = this.files.map(({ path, file }) => ({
      path,
      hash: this.hashes.get(path) ?? "",
      size: file.size,
    }));
    const missing = new Set<string>();
    for (let at = 0; at < entries.length; at += DECLARED_AT_ONCE) {
      const some = entries.slice(at, at + DECLARED_AT_ONCE);
      const those = await this.persist(() => this.parts.transport.declare(upload, some, this.stop.signal));
      for (const hash of those) missing.add(hash);
    }
    return missing;
  }

  private async send(upload: string, missing: Set<string>): Promise<void> {
    const byHash = new Map<string, Picked>();
    for (const picked of this.files) {
      const hash = this.hashes.get(picked.path) ?? "";
      if (missing.has(hash)) byHash.set(hash, picked);
    }
    const contents = [...byHash].map(([hash, picked]) => ({ hash, ...picked }));
    this.start(
      "sending",
      contents.map(({ file }) => file),
    );
    await each(parted(contents), AT_ONCE, part => this.sendPart(upload, part));
  }

  /** What the server does not take together goes file by file, so that a failure names the file. */
  private async sendPart(upload: string, part: Content[]): Promise<void> {
    const { signal } = this.stop;
    if (part.length > 1) {
      try {
        this.tell({ path: part[0]?.path ?? null });
        await this.persist(() => this.sendTogether(upload, part));
        this.add(
          part.reduce((sum, { file }) => sum + file.size, 0),
          part.length,
        );
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (!isOfPart(error)) throw error;
      }
    }
    for (const content of part) {
      this.tell({ path: content.path });
      await this.sendOne(upload, content);
      this.add(0, 1);
    }
  }

  /** A browser tells a file that it can no longer read as a connection that broke: that one is named, and nothing is tried again. */
  private async sendTogether(upload: string, part: Content[]): Promise<void> {
    const { signal } = this.stop;
    try {
      await this.parts.transport.putSmall(upload, part, signal);
    } catch (error) {
      signal.throwIfAborted();
      for (const { path, file } of isPassing(error) ? part : [])
        if (!(await isReadable(file))) throw new FileError(path, CHANGED, { cause: error });
      throw error;
    }
  }

  private async sendOne(upload: string, { hash, path, file }: Content): Promise<void> {
    const { transport, wait = sleep } = this.parts;
    const { signal } = this.stop;
    let offset = 0;
    let fruitless = 0;
    for (;;) {
      signal.throwIfAborted();
      const before = offset;
      let failure: unknown = null;
      let isComplete = false;
      try {
        const slice = { offset, body: file.slice(offset, offset + SLICE_BYTES), size: file.size };
        ({ offset, complete: isComplete } = await transport.put(upload, hash, slice, signal));
        if (this.progress.isBroken) this.tell({ isBroken: false });
      } catch (error) {
        signal.throwIfAborted();
        await this.judge(error, path, file);
        failure = error;
        this.tell({ isBroken: !isElsewhere(error) });
        await wait(Math.min(MOST_WAIT_MS, FIRST_WAIT_MS * 2 ** fruitless));
        const reached = await transport.received(upload, hash, signal).catch(() => null);
        if (reached) ({ offset, complete: isComplete } = reached);
      }
      if (isComplete) offset = file.size;
      this.add(offset - before);
      if (isComplete) return;
      fruitless = offset > before ? 0 : fruitless + 1;
      if (fruitless >= TRIES) {
        const why = failure instanceof Error ? failure.message : "The server takes nothing more of it.";
        throw new FileError(path, `does not get through. ${why}`, { cause: failure });
      }
    }
  }

  /** Throws what no other try would mend. */
  private async judge(error: unknown, path: string, file: Blob): Promise<void> {
    if (ended(error) || isOfPerson(error)) throw error;
    if (!(await isReadable(file))) throw new FileError(path, CHANGED, { cause: error });
    if (isPassing(error) || isElsewhere(error)) return;
    if (isStatus(error, 400)) throw new FileError(path, CHANGED, { cause: error });
    const why = error instanceof Error ? error.message : String(error);
    throw new FileError(path, `was not taken. ${why}`, { cause: error });
  }
}
