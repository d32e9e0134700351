/** The types must be those of the server's description: regenerate them with `npm run generate` when this fails. */
import { readFileSync } from "node:fs";
import openapi, { astToString } from "openapi-typescript";
import { expect, test } from "vitest";

test("schema.ts is what gateway/openapi.json says", async () => {
  const source = new URL("../../gateway/openapi.json", import.meta.url);
  const generated = astToString(await openapi(source));
  const committed = readFileSync(new URL("schema.ts", import.meta.url), "utf8");
  expect(committed.replace(/^\/\*\*[\s\S]*?\*\/\s*/, "").trim()).toBe(generated.trim());
}, 30_000);
