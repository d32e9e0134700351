/** How the extension is built: one script that JupyterLab loads as it stands, and the metadata that tells Lab where it is. */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { container, isShared } from "./build/container.ts";
import metadata from "./package.json" with { type: "json" };

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  plugins: [container(metadata)],
  // Lab shares `react`, not its JSX runtime: ours is made of what is shared.
  resolve: { alias: { "react/jsx-runtime": file("./src/lab/jsx.ts") } },
  build: {
    target: "es2022",
    outDir: "dist",
    lib: {
      entry: file("./src/extension.ts"),
      formats: ["cjs"],
      fileName: () => metadata.jupyterlab._build.load,
    },
    rolldownOptions: { external: isShared, output: { exports: "named" } },
    reportCompressedSize: false,
  },
});
