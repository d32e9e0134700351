/** Hashes files beside the page, on a few workers. */
import type { Answer } from "./hash.worker";

export interface Hasher {
  /** How many files it hashes at a time. */
  readonly width: number;
  hash: (file: Blob, onBytes: (bytes: number) => void) => Promise<string>;
  /** Ends what is going on. */
  close: () => void;
}

const MOST_WORKERS = 4;

export function makeHasher(): Hasher {
  const width = Math.max(1, Math.min(MOST_WORKERS, (navigator.hardwareConcurrency || 2) - 1));
  const idle: Worker[] = [];
  const all: Worker[] = [];
  const take = (): Worker => {
    const waiting = idle.pop();
    if (waiting) return waiting;
    const worker = new Worker(new URL("./hash.worker.ts", import.meta.url), { type: "module" });
    all.push(worker);
    return worker;
  };
  return {
    width,
    hash: (file, onBytes) =>
      new Promise((resolve, reject) => {
        const worker = take();
        worker.onmessage = ({ data }: MessageEvent<Answer>) => {
          if ("bytes" in data) return onBytes(data.bytes);
          idle.push(worker);
          if ("hash" in data) resolve(data.hash);
          else reject(new Error(data.failed));
        };
        worker.onerror = event => reject(new Error(event.message || "The hashing could not begin."));
        worker.postMessage(file);
      }),
    close: () => {
      for (const worker of all) worker.terminate();
    },
  };
}
