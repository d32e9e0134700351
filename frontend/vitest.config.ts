/** Unit tests: logic runs in Node, what needs a document in happy-dom. */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { alias: { "~": fileURLToPath(new URL("app/src", import.meta.url)) } },
  test: {
    include: [
      "api/**/*.test.ts",
      "app/src/**/*.test.{ts,tsx}",
      "labextension/{build,src}/**/*.test.{ts,tsx}",
    ],
    pool: "threads",
  },
});
