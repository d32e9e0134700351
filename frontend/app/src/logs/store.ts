/**
 * The lines of one log in memory: pieces of unfinished lines joined, in columns of large blocks so that a million lines
 * stay affordable. Knows nothing of React or of the network.
 */
import type { LogLine } from "@cairn/api/types";
import { plainText } from "./ansi";

export type Stream = LogLine["stream"];
export interface Line {
  index: number;
  offset: number;
  ms: number;
  stream: Stream;
  text: string;
}

const STREAMS: Stream[] = ["stdout", "stderr", "system"];
const BLOCK = 4096;
const NONE: number[] = [];

interface Block {
  offsets: Float64Array;
  times: Float64Array;
  streams: Uint8Array;
  texts: string[];
}

const newBlock = (): Block => ({
  offsets: new Float64Array(BLOCK),
  times: new Float64Array(BLOCK),
  streams: new Uint8Array(BLOCK),
  texts: [],
});

export class LogStore {
  private blocks: Block[] = [];
  private count = 0;
  /** The line of each stream that is not finished yet, by its index. */
  private open = new Map<Stream, number>();
  private lastOffset = -1;
  private listeners = new Set<() => void>();
  private version = 0;
  private found = { needle: "", hits: NONE, next: 0 };
  ended = false;

  get length(): number {
    return this.count;
  }

  line(index: number): Line | null {
    const block = this.blocks[Math.floor(index / BLOCK)];
    const at = index % BLOCK;
    const text = block?.texts[at];
    if (!block || text === undefined) return null;
    return {
      index,
      offset: block.offsets[at] ?? 0,
      ms: block.times[at] ?? 0,
      stream: STREAMS[block.streams[at] ?? 0] ?? "stdout",
      text,
    };
  }

  /** Adds records in order. One that was already added is ignored, so a resumed stream shows every line once. */
  add(items: LogLine[]): void {
    for (const item of items) {
      if (item.offset <= this.lastOffset) continue;
      this.lastOffset = item.offset;
      this.addOne(item);
    }
    if (items.length > 0) this.changed();
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.changed();
  }

  private addOne(item: LogLine): void {
    const continued = this.open.get(item.stream);
    if (continued !== undefined) {
      const block = this.blocks[Math.floor(continued / BLOCK)];
      if (block) block.texts[continued % BLOCK] += item.text;
      this.forget(continued);
    } else this.push(item);
    if (!item.partial) this.open.delete(item.stream);
    else if (continued === undefined) this.open.set(item.stream, this.count - 1);
  }

  private push(item: LogLine): void {
    const at = this.count % BLOCK;
    if (at === 0) this.blocks.push(newBlock());
    const block = this.blocks[this.blocks.length - 1];
    if (!block) return;
    block.offsets[at] = item.offset;
    block.times[at] = item.ms;
    block.streams[at] = Math.max(0, STREAMS.indexOf(item.stream));
    block.texts[at] = item.text;
    this.count += 1;
  }

  /**
   * The indices of lines that contain `needle` whatever its case, `most` of them at most. Asked again for the same needle
   * it looks only at what is new, and gives the same array when nothing was found there.
   */
  search(needle: string, most = 10_000): number[] {
    const wanted = needle.toLowerCase();
    if (!wanted) return NONE;
    if (this.found.needle !== wanted) this.found = { needle: wanted, hits: NONE, next: 0 };
    const fresh: number[] = [];
    let index = this.found.next;
    for (; index < this.count && this.found.hits.length + fresh.length < most; index += 1) {
      const text = this.blocks[Math.floor(index / BLOCK)]?.texts[index % BLOCK] ?? "";
      if (text.length >= wanted.length && plainText(text).toLowerCase().includes(wanted)) fresh.push(index);
    }
    if (fresh.length > 0) this.found.hits = [...this.found.hits, ...fresh];
    this.found.next = index;
    return this.found.hits;
  }

  /** A line that goes on after it was searched is searched again. */
  private forget(index: number): void {
    if (index >= this.found.next) return;
    this.found.next = index;
    this.found.hits = this.found.hits.filter(hit => hit < index);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  snapshot = (): number => this.version;

  private changed(): void {
    this.version += 1;
    for (const listener of this.listeners) listener();
  }
}
