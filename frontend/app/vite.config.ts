/** How the app is built and how its development server finds an API: a running server, or the mock. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import tailwind from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** Serves MSW's worker from its package in mock mode only, so that it can never ship. */
function mockWorker(): Plugin {
  const require = createRequire(import.meta.url);
  return {
    name: "cairn-mock-worker",
    configureServer(server) {
      server.middlewares.use("/mockServiceWorker.js", (_request, response) => {
        response.setHeader("content-type", "text/javascript");
        response.end(readFileSync(require.resolve("msw/mockServiceWorker.js")));
      });
    },
  };
}

export default defineConfig(({ mode }) => {
  const target = process.env.CAIRN_URL ?? "http://localhost:8000";
  const proxy = { target, changeOrigin: true, headers: { origin: new URL(target).origin } };
  return {
    plugins: [react(), tailwind(), ...(mode === "mock" ? [mockWorker()] : [])],
    resolve: { alias: { "~": fileURLToPath(new URL("./src", import.meta.url)) } },
    server: {
      port: 5173,
      strictPort: false,
      ...(mode === "mock" ? {} : { proxy: { "/api": proxy, "/w": { ...proxy, ws: true } } }),
    },
    build: {
      target: "es2022",
      assetsInlineLimit: 0,
      sourcemap: false,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
    },
  };
});
