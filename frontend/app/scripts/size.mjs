// Fails when the script that the first load needs is over its budget. Reads dist/, knows nothing else.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET_BYTES = 200 * 1024;
const dist = new URL("../dist/", import.meta.url);
const html = readFileSync(new URL("index.html", dist), "utf8");

const seen = new Set();
function follow(name) {
  if (seen.has(name)) return;
  seen.add(name);
  const text = readFileSync(new URL(name, dist), "utf8");
  for (const [, file] of text.matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g)) follow(`assets/${file}`);
}
for (const [, file] of html.matchAll(/(?:src|href)="\/([^"]+\.js)"/g)) follow(file);

const compressed = name => gzipSync(readFileSync(new URL(name, dist))).length;
const first = [...seen].reduce((sum, name) => sum + compressed(name), 0);
const chunks = readdirSync(new URL("assets/", dist)).filter(name => name.endsWith(".js"));
process.stdout.write(
  `first load: ${(first / 1024).toFixed(1)} KiB compressed script (budget ${BUDGET_BYTES / 1024}), ${chunks.length} chunks\n`,
);
if (first > BUDGET_BYTES) {
  process.stderr.write("over budget: move something out of the first load\n");
  process.exit(1);
}
