/**
 * BLAKE3 of content that comes in pieces. In plain JavaScript: the app's content security policy lets no WebAssembly run, and what there is in packages
 * is several times slower. The server proves every hash before it keeps anything under it, so a wrong one could only be refused.
 *
 * Source: "BLAKE3: one function, fast everywhere", 2.1 to 2.4.
 */

const CHUNK = 1024;
const BLOCK = 64;
const CHUNK_START = 1;
const CHUNK_END = 2;
const PARENT = 4;
const ROOT = 8;
/** Subtrees that are waiting for their right half: one for each power of two of chunks. */
const DEEPEST = 54;

const IV = Int32Array.of(
  0x6a09e667,
  0xbb67ae85,
  0x3c6ef372,
  0xa54ff53a,
  0x510e527f,
  0x9b05688c,
  0x1f83d9ab,
  0x5be0cd19,
);

/** The compression function: mixes the 16 words of `m` from `at` on into the chaining value `h`, which it replaces. */
function compress(h: Int32Array, m: Int32Array, at: number, counter: number, length: number, flags: number) {
  let m0 = m[at] as number;
  let m1 = m[at + 1] as number;
  let m2 = m[at + 2] as number;
  let m3 = m[at + 3] as number;
  let m4 = m[at + 4] as number;
  let m5 = m[at + 5] as number;
  let m6 = m[at + 6] as number;
  let m7 = m[at + 7] as number;
  let m8 = m[at + 8] as number;
  let m9 = m[at + 9] as number;
  let m10 = m[at + 10] as number;
  let m11 = m[at + 11] as number;
  let m12 = m[at + 12] as number;
  let m13 = m[at + 13] as number;
  let m14 = m[at + 14] as number;
  let m15 = m[at + 15] as number;
  let v0 = h[0] as number;
  let v1 = h[1] as number;
  let v2 = h[2] as number;
  let v3 = h[3] as number;
  let v4 = h[4] as number;
  let v5 = h[5] as number;
  let v6 = h[6] as number;
  let v7 = h[7] as number;
  let v8 = IV[0] as number;
  let v9 = IV[1] as number;
  let v10 = IV[2] as number;
  let v11 = IV[3] as number;
  let v12 = counter | 0;
  let v13 = (counter / 0x100000000) | 0;
  let v14 = length;
  let v15 = flags;
  for (let round = 0; round < 7; round += 1) {
    v0 = (v0 + v4 + m0) | 0;
    v12 = ((v12 ^ v0) << 16) | ((v12 ^ v0) >>> 16);
    v8 = (v8 + v12) | 0;
    v4 = ((v4 ^ v8) << 20) | ((v4 ^ v8) >>> 12);
    v0 = (v0 + v4 + m1) | 0;
    v12 = ((v12 ^ v0) << 24) | ((v12 ^ v0) >>> 8);
    v8 = (v8 + v12) | 0;
    v4 = ((v4 ^ v8) << 25) | ((v4 ^ v8) >>> 7);
    v1 = (v1 + v5 + m2) | 0;
    v13 = ((v13 ^ v1) << 16) | ((v13 ^ v1) >>> 16);
    v9 = (v9 + v13) | 0;
    v5 = ((v5 ^ v9) << 20) | ((v5 ^ v9) >>> 12);
    v1 = (v1 + v5 + m3) | 0;
    v13 = ((v13 ^ v1) << 24) | ((v13 ^ v1) >>> 8);
    v9 = (v9 + v13) | 0;
    v5 = ((v5 ^ v9) << 25) | ((v5 ^ v9) >>> 7);
    v2 = (v2 + v6 + m4) | 0;
    v14 = ((v14 ^ v2) << 16) | ((v14 ^ v2) >>> 16);
    v10 = (v10 + v14) | 0;
    v6 = ((v6 ^ v10) << 20) | ((v6 ^ v10) >>> 12);
    v2 = (v2 + v6 + m5) | 0;
    v14 = ((v14 ^ v2) << 24) | ((v14 ^ v2) >>> 8);
    v10 = (v10 + v14) | 0;
    v6 = ((v6 ^ v10) << 25) | ((v6 ^ v10) >>> 7);
    v3 = (v3 + v7 + m6) | 0;
    v15 = ((v15 ^ v3) << 16) | ((v15 ^ v3) >>> 16);
    v11 = (v11 + v15) | 0;
    v7 = ((v7 ^ v11) << 20) | ((v7 ^ v11) >>> 12);
    v3 = (v3 + v7 + m7) | 0;
    v15 = ((v15 ^ v3) << 24) | ((v15 ^ v3) >>> 8);
    v11 = (v11 + v15) | 0;
    v7 = ((v7 ^ v11) << 25) | ((v7 ^ v11) >>> 7);
    v0 = (v0 + v5 + m8) | 0;
    v15 = ((v15 ^ v0) << 16) | ((v15 ^ v0) >>> 16);
    v10 = (v10 + v15) | 0;
    v5 = ((v5 ^ v10) << 20) | ((v5 ^ v10) >>> 12);
    v0 = (v0 + v5 + m9) | 0;
    v15 = ((v15 ^ v0) << 24) | ((v15 ^ v0) >>> 8);
    v10 = (v10 + v15) | 0;
    v5 = ((v5 ^ v10) << 25) | ((v5 ^ v10) >>> 7);
    v1 = (v1 + v6 + m10) | 0;
    v12 = ((v12 ^ v1) << 16) | ((v12 ^ v1) >>> 16);
    v11 = (v11 + v12) | 0;
    v6 = ((v6 ^ v11) << 20) | ((v6 ^ v11) >>> 12);
    v1 = (v1 + v6 + m11) | 0;
    v12 = ((v12 ^ v1) << 24) | ((v12 ^ v1) >>> 8);
    v11 = (v11 + v12) | 0;
    v6 = ((v6 ^ v11) << 25) | ((v6 ^ v11) >>> 7);
    v2 = (v2 + v7 + m12) | 0;
    v13 = ((v13 ^ v2) << 16) | ((v13 ^ v2) >>> 16);
    v8 = (v8 + v13) | 0;
    v7 = ((v7 ^ v8) << 20) | ((v7 ^ v8) >>> 12);
    v2 = (v2 + v7 + m13) | 0;
    v13 = ((v13 ^ v2) << 24) | ((v13 ^ v2) >>> 8);
    v8 = (v8 + v13) | 0;
    v7 = ((v7 ^ v8) << 25) | ((v7 ^ v8) >>> 7);
    v3 = (v3 + v4 + m14) | 0;
    v14 = ((v14 ^ v3) << 16) | ((v14 ^ v3) >>> 16);
    v9 = (v9 + v14) | 0;
    v4 = ((v4 ^ v9) << 20) | ((v4 ^ v9) >>> 12);
    v3 = (v3 + v4 + m15) | 0;
    v14 = ((v14 ^ v3) << 24) | ((v14 ^ v3) >>> 8);
    v9 = (v9 + v14) | 0;
    v4 = ((v4 ^ v9) << 25) | ((v4 ^ v9) >>> 7);
    if (round === 6) break;
    let kept: number;
    kept = m0;
    m0 = m2;
    m2 = m3;
    m3 = m10;
    m10 = m12;
    m12 = m9;
    m9 = m11;
    m11 = m5;
    m5 = kept;
    kept = m1;
    m1 = m6;
    m6 = m4;
    m4 = m7;
    m7 = m13;
    m13 = m14;
    m14 = m15;
    m15 = m8;
    m8 = kept;
  }
  h[0] = v0 ^ v8;
  h[1] = v1 ^ v9;
  h[2] = v2 ^ v10;
  h[3] = v3 ^ v11;
  h[4] = v4 ^ v12;
  h[5] = v5 ^ v13;
  h[6] = v6 ^ v14;
  h[7] = v7 ^ v15;
}

export class Blake3 {
  /** The chunk at hand; the last one is kept until it is clear that it is the last. */
  private readonly chunk = new Uint8Array(CHUNK);
  private readonly words = new Int32Array(this.chunk.buffer);
  private filled = 0;
  private chunks = 0;
  private readonly stack = new Int32Array(DEEPEST * 8);
  private depth = 0;
  private readonly value = new Int32Array(8);
  private readonly pair = new Int32Array(16);

  update(data: Uint8Array): this {
    let at = 0;
    while (at < data.length) {
      if (this.filled === CHUNK) this.push();
      const end = Math.min(data.length, at + CHUNK - this.filled);
      this.chunk.set(data.subarray(at, end), this.filled);
      this.filled += end - at;
      at = end;
    }
    return this;
  }

  /** 64 hexadecimal digits. Nothing can be added afterwards. */
  digest(): string {
    this.endChunk(this.depth === 0 ? ROOT : 0);
    while (this.depth > 0) this.join(this.depth === 1 ? ROOT : 0);
    const bytes = new Uint8Array(this.value.buffer);
    return Array.from(bytes, byte => byte.toString(16).padStart(2, "0")).join("");
  }

  /** Leaves the chaining value of the chunk at hand in `value`. */
  private endChunk(flags: number): void {
    this.chunk.fill(0, this.filled);
    this.value.set(IV);
    const blocks = Math.max(1, Math.ceil(this.filled / BLOCK));
    for (let block = 0; block < blocks; block += 1) {
      const isLast = block === blocks - 1;
      const length = isLast ? this.filled - block * BLOCK : BLOCK;
      const role = (block === 0 ? CHUNK_START : 0) | (isLast ? CHUNK_END | flags : 0);
      compress(this.value, this.words, block * 16, this.chunks, length, role);
    }
  }

  /** Makes `value` the parent of the topmost waiting subtree and itself. */
  private join(flags: number): void {
    this.depth -= 1;
    this.pair.set(this.stack.subarray(this.depth * 8, this.depth * 8 + 8));
    this.pair.set(this.value, 8);
    this.value.set(IV);
    compress(this.value, this.pair, 0, 0, BLOCK, PARENT | flags);
  }

  /** Puts the chunk at hand, which is not the last one, into the tree. */
  private push(): void {
    this.endChunk(0);
    this.chunks += 1;
    this.filled = 0;
    for (let size = this.chunks; size % 2 === 0; size /= 2) this.join(0);
    this.stack.set(this.value, this.depth * 8);
    this.depth += 1;
  }
}
