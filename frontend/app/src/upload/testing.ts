/** A server and a hasher for the tests of uploads. */
import { ApiError } from "@cairn/api/errors";
import type { Small } from "./batch";
import { Blake3 } from "./blake3";
import type { Hasher } from "./hasher";
import type { Picked } from "./plan";
import type { Entry, Slice, Transport } from "./transport";
import { type Progress, Upload } from "./upload";

export const hashOf = (bytes: Uint8Array) => new Blake3().update(bytes).digest();
export const picked = (path: string, content: string | Uint8Array = path): Picked => ({
  path,
  file: new File([content as BlobPart], path.slice(path.lastIndexOf("/") + 1)),
});

/** A server that keeps what it is sent, and fails as `fault` says. */
export class Server implements Transport {
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

export function upload(files: Picked[], transport: Transport, with_: Partial<Hasher> = {}) {
  const told: Progress[] = [];
  const made = new Upload(files, {
    transport,
    hasher: { ...hasher, ...with_ },
    onProgress: progress => told.push(progress),
    wait: async () => undefined,
  });
  return { made, told };
}

export const conflict = (message: string) => new ApiError(409, "conflict", message, null);
export const UNREACHABLE = new ApiError(0, "unreachable", "The server cannot be reached.", null);
export const many = (count: number) => Array.from({ length: count }, (_, at) => picked(`file-${at}`));
