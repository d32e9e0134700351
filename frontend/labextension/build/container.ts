/**
 * Turns the bundle into what JupyterLab loads: a module federation container, written out here because it is small. Webpack and its plugin
 * would be needed for nothing else.
 *
 * Lab puts its own modules into a "share scope", by name and version, and calls `init` with it, then `get("./extension")`. The bundle is
 * CommonJS, so that what it does not contain it asks `require` for, at once and in order. Modules in a share scope come asynchronously;
 * therefore `get` fetches all of them first, and only then runs the bundle with a `require` that looks them up. Nothing of Lab's is ever bundled:
 * its tokens and React's hooks work only when there is one of each.
 *
 * Source: webpack, "Module Federation", container interface; JupyterLab, "Prebuilt extensions".
 */
import type { Plugin } from "vite";

interface Metadata {
  name: string;
  version: string;
  license: string;
  description: string;
  jupyterlab: { _build: { load: string; extension: string } };
}

/** What Lab shares with its extensions, of what we import. */
export const isShared = (id: string): boolean => /^(@jupyterlab|@lumino)\/[\w-]+$|^react(-dom)?$/.test(id);

/** The container's source around a CommonJS bundle that requires `shared`. */
export function wrap(name: string, shared: readonly string[], bundle: string): string {
  const of = JSON.stringify(name);
  return `(() => {
let scope = {};
const load = async name => {
  const offered = Object.values(scope[name] ?? {});
  // Another extension may offer a version of its own; the one in use is the one that Lab runs on.
  const one = offered.find(each => each.loaded) ?? offered[0];
  if (!one) throw new Error(${JSON.stringify(`${name}: this JupyterLab does not share `)} + name);
  return [name, (await one.get())()];
};
const run = (require, module, exports) => {
${bundle}
return module.exports;
};
(window._JUPYTERLAB ??= {})[${of}] = {
  init: given => { scope = given; },
  get: async () => {
    const modules = new Map(await Promise.all(${JSON.stringify(shared)}.map(load)));
    const module = { exports: {} };
    const made = run(name => modules.get(name), module, module.exports);
    return () => made;
  },
};
})();
`;
}

/** Wraps the one chunk of the build, and writes the `package.json` that Lab reads beside it. */
export function container(metadata: Metadata): Plugin {
  const { name, version, license, description, jupyterlab } = metadata;
  return {
    name: "cairn-container",
    generateBundle: {
      // After the minifier, which would drop a container that nobody seems to use.
      order: "post",
      handler(_options, bundle) {
        const chunks = Object.values(bundle).filter(each => each.type === "chunk");
        const [chunk] = chunks;
        if (!chunk || chunks.length > 1) this.error("the extension has to be one script");
        const strange = chunk.imports.filter(id => !isShared(id));
        if (strange.length > 0) this.error(`JupyterLab shares no ${strange.join(", ")}`);
        chunk.code = wrap(name, chunk.imports, chunk.code);
        this.emitFile({
          type: "asset",
          fileName: "package.json",
          source: `${JSON.stringify({ name, version, license, description, jupyterlab }, null, 2)}\n`,
        });
      },
    },
  };
}
