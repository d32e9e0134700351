/** Hashes one file after the other, a slice at a time: none is ever in memory as a whole. */
import { Blake3 } from "./blake3";

const SLICE = 4 << 20;

export type Answer = { bytes: number } | { hash: string } | { failed: string };

async function hash(file: Blob): Promise<string> {
  const hasher = new Blake3();
  for (let at = 0; at < file.size; at += SLICE) {
    const slice = new Uint8Array(await file.slice(at, at + SLICE).arrayBuffer());
    hasher.update(slice);
    postMessage({ bytes: slice.length } satisfies Answer);
  }
  return hasher.digest();
}

addEventListener("message", (event: MessageEvent<Blob>) => {
  void hash(event.data).then(
    hash => postMessage({ hash } satisfies Answer),
    (error: unknown) => postMessage({ failed: String(error) } satisfies Answer),
  );
});
