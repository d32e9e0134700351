// Writes a Brotli and a gzip form beside every text file of dist/ that gains from it, so that the service compresses nothing itself.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const text = /\.(?:css|html|js|json|svg|txt)$/;

for (const name of readdirSync(dist, { recursive: true })) {
  const path = dist + name;
  if (!text.test(name) || !statSync(path).isFile()) continue;
  const plain = readFileSync(path);
  if (plain.length < 1024) continue;
  const quality = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length };
  writeFileSync(`${path}.br`, brotliCompressSync(plain, { params: quality }));
  writeFileSync(`${path}.gz`, gzipSync(plain, { level: 9 }));
}
