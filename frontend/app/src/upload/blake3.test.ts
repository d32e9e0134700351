import { expect, test } from "vitest";
import { Blake3 } from "./blake3";
import { hashOf } from "./testing";

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
