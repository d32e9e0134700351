/** Small contents go many at a time: a request for each would cost more than its bytes. Pure. */

export interface Small {
  hash: string;
  file: Blob;
}

/** The largest content that goes with others. The server takes four times that. */
const SMALL_BYTES = 256 << 10;
/** What one request carries at most. `cli/src/small.rs` has the same limits, but for the bytes: its requests have less time. */
const MOST_CONTENTS = 512;
const MOST_BYTES = 4 << 20;
/** Fewer are sent alone. */
const FEWEST = 8;
const HEAD_BYTES = 32 + 8;

/** Parts contents into those that are sent together. Large ones are alone, and so are small ones where there are few. */
export function parted<T extends Small>(contents: T[]): T[][] {
  const isSmall = ({ file }: T) => file.size <= SMALL_BYTES;
  const small = contents.filter(isSmall);
  if (small.length < FEWEST) return contents.map(each => [each]);
  const parts: T[][] = [];
  let part: T[] = [];
  let bytes = 0;
  for (const each of small) {
    if (part.length === MOST_CONTENTS || bytes + each.file.size > MOST_BYTES) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(each);
    bytes += each.file.size;
  }
  parts.push(part);
  return [...parts, ...contents.filter(each => !isSmall(each)).map(each => [each])];
}

/** Contents as the server reads them: hash, length in eight bytes with the lowest first, content. Nothing is read here. */
export function framed(contents: Small[]): Blob {
  const parts = contents.flatMap(({ hash, file }) => {
    const head = new Uint8Array(HEAD_BYTES);
    for (let at = 0; at < 32; at += 1) head[at] = Number.parseInt(hash.slice(2 * at, 2 * at + 2), 16);
    new DataView(head.buffer).setBigUint64(32, BigInt(file.size), true);
    return [head, file];
  });
  return new Blob(parts);
}
