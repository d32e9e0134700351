// @vitest-environment happy-dom
import type { JupyterLab } from "@jupyterlab/application";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Watch } from "./watch";

/** A shared document's connection, as its provider has it. */
interface Link {
  wsProvider: { wsconnected: boolean; synced: boolean } | null;
}

const BASE = "http://localhost/w/1/";
let started = "";
const load = vi.fn();
const saveAll = vi.fn(async () => undefined);
const said = () => document.querySelector(".cairn-Notice")?.textContent ?? "";

beforeEach(() => {
  vi.useFakeTimers();
  started = "before";
  vi.stubGlobal("fetch", async () =>
    started ? Response.json({ started }) : new Response("", { status: 503 }),
  );
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.clearAllMocks();
  files.mockImplementation(async path => ({ path }));
  document.body.replaceChildren();
});

/** A document that is open and has something unsaved, of a file with this hash; without one it is not shared. */
function typed(hash: string | null, path = "work/a.py") {
  const document = {
    path,
    text: "typed\n",
    contentsModel: { type: "file", format: "text" as const, hash: "known" },
    model: {
      dirty: true,
      collaborative: hash !== null,
      toJSON: () => null,
      toString: () => document.text,
    },
    save: vi.fn(async () => undefined),
    hash,
    type: (text: string) => {
      document.text += text;
      document.model.dirty = true;
    },
  };
  return document;
}

const files = vi.fn(async (path: string, _: { content?: unknown }) => ({ path }));

/** A tab with these shared documents; null where none can be shared. Nothing of it is marked as not saved but what is open. */
async function tab(providers: unknown, ...open: ReturnType<typeof typed>[]) {
  const getProvider = () => {
    if (providers === null) throw new Error("Provider rtc is not registered");
    return { providers };
  };
  const isMarked = () => open.some(each => each.model.dirty);
  const app = {
    status: {
      other: false,
      get isDirty() {
        return this.other || isMarked();
      },
    },
    shell: { widgets: () => open.map(context => ({ context })).values() },
    commands: { execute: saveAll },
    serviceManager: {
      contents: {
        defaultDrive: { contentProviderRegistry: { getProvider } },
        get: async (path: string) => {
          const found = open.find(each => each.path === path);
          return found
            ? { hash: found.hash, content: "before\n" }
            : { content: [{ name: "a.py" }, { name: "work" }] };
        },
        save: files,
      },
    },
  };
  saveAll.mockImplementation(async () => {
    for (const each of open) each.model.dirty = false;
  });
  await new Watch(app as unknown as JupyterLab, BASE, load).begin();
  return app;
}

async function restarts(ms: number): Promise<void> {
  started = "after";
  await vi.advanceTimersByTimeAsync(5000 + ms);
}

const link = (synced: boolean): Link => ({ wsProvider: { wsconnected: true, synced } });

test("a tab with nothing unsaved loads again at once, connected or not", async () => {
  await tab(new Map([["a", { wsProvider: null }]]));
  await restarts(0);
  expect(load).toHaveBeenCalledOnce();
  expect(saveAll).not.toHaveBeenCalled();
});

test("what is not shared is saved before", async () => {
  await tab(null, typed(null));
  await restarts(500);
  expect(saveAll).toHaveBeenCalledOnce();
  expect(load).toHaveBeenCalledOnce();
});

test("what cannot be saved stays, and can be loaded by hand", async () => {
  const app = await tab(null);
  app.status.other = true;
  await restarts(20_000);
  expect(load).not.toHaveBeenCalled();
  expect(said()).toContain("could not be saved");
  started = "";
  await vi.advanceTimersByTimeAsync(6000);
  expect(said()).toContain("is away");
  started = "after";
  await vi.advanceTimersByTimeAsync(6000);
  expect(said()).toContain("could not be saved");
  document.querySelector<HTMLButtonElement>(".cairn-Notice button")?.click();
  expect(load).toHaveBeenCalledOnce();
});

test("a shared document is saved once it is connected and in step, not before", async () => {
  const provider: Link = { wsProvider: null };
  await tab(new Map([["a", provider]]), typed("known"));
  await restarts(1000);
  provider.wsProvider = link(false).wsProvider;
  await vi.advanceTimersByTimeAsync(1000);
  expect(saveAll).not.toHaveBeenCalled();
  provider.wsProvider = link(true).wsProvider;
  await vi.advanceTimersByTimeAsync(1000);
  expect(saveAll).toHaveBeenCalledOnce();
  expect(load).toHaveBeenCalledOnce();
});

test.each([
  ["has no connection", new Map([["a", { wsProvider: null }]])],
  ["is refused", new Map([["a", link(false)]])],
  ["does not say", undefined],
])("a shared document that %s is written past it", async (_, providers) => {
  await tab(providers, typed("known"));
  await restarts(8000);
  expect(saveAll, "it would take the mark away and save nothing").not.toHaveBeenCalled();
  expect(files.mock.calls).toEqual([["work/a.py", { type: "file", format: "text", content: "typed\n" }]]);
  expect(load).toHaveBeenCalledOnce();
});

test("nothing is written over: what was changed meanwhile gets a neighbour, and a person is told", async () => {
  await tab(new Map([["a", link(false)]]), typed("another"));
  await restarts(20_000);
  expect(files.mock.calls.map(([path]) => path)).toEqual(["work/a-2.py"]);
  expect(load).not.toHaveBeenCalled();
  expect(said()).toContain("work/a-2.py");
});

test("a mark that goes away while the server does is remembered", async () => {
  const open = typed("known");
  await tab(new Map([["a", link(false)]]), open);
  started = "";
  await vi.advanceTimersByTimeAsync(6000);
  open.model.dirty = false;
  await restarts(8000);
  expect(files).toHaveBeenCalledOnce();
  expect(load).toHaveBeenCalledOnce();
});

const written = () => files.mock.calls.map(([path, { content }]) => [path, content]);

test.each([
  ["in its place", "known", "work/a.py"],
  ["beside it", "another", "work/a-2.py"],
])("what is typed while it is saved past its connection, %s, is saved too", async (_, hash, path) => {
  const open = typed(hash);
  await tab(new Map([["a", link(false)]]), open);
  files.mockImplementationOnce(async () => {
    open.type("more\n");
    return { path };
  });
  await restarts(8000);
  expect(written()).toEqual([
    [path, "typed\n"],
    [path, "typed\nmore\n"],
  ]);
  expect(open.model.dirty).toBe(false);
  expect(load).toHaveBeenCalledTimes(hash === "known" ? 1 : 0);
});

test("where somebody types on and on, the tab stays and the mark too", async () => {
  const open = typed("known");
  await tab(new Map([["a", link(false)]]), open);
  files.mockImplementation(async path => {
    open.type("more\n");
    return { path };
  });
  await restarts(20_000);
  expect(files).toHaveBeenCalledTimes(3);
  expect(open.model.dirty).toBe(true);
  expect(load).not.toHaveBeenCalled();
  expect(said()).toContain("could not be saved");
});

test("what is typed while what is not shared is saved is saved too", async () => {
  const open = typed(null);
  await tab(null, open);
  saveAll.mockImplementationOnce(async () => {
    open.type("more\n");
    open.model.dirty = false;
  });
  await restarts(500);
  expect(saveAll).toHaveBeenCalledTimes(2);
  expect(load).toHaveBeenCalledOnce();
});

test("a save that never ends leaves it to the person", async () => {
  const open = typed("known");
  await tab(new Map([["a", link(false)]]), open);
  files.mockImplementation(() => new Promise(() => undefined));
  await restarts(8000);
  expect(said()).toContain("Saving");
  await vi.advanceTimersByTimeAsync(15_000);
  expect(said()).toContain("could not be saved");
  expect(load).not.toHaveBeenCalled();
});

test("what the same server got after a while is not written past it later", async () => {
  const provider = link(true);
  const open = typed("another");
  await tab(new Map([["a", provider]]), open);
  started = "";
  await vi.advanceTimersByTimeAsync(6000);
  started = "before";
  await vi.advanceTimersByTimeAsync(6000);
  open.model.dirty = false;
  provider.wsProvider = null;
  await restarts(8000);
  expect(files).not.toHaveBeenCalled();
  expect(load).toHaveBeenCalledOnce();
});

test("what was saved past its connection is not saved again when another server comes", async () => {
  const failing = typed("known", "work/b.py");
  await tab(new Map([["a", link(false)]]), typed("known"), failing);
  files.mockImplementation(async path => {
    if (path === "work/b.py") throw new Error("The disk is full");
    return { path };
  });
  await restarts(8000);
  expect(said()).toContain("could not be saved");
  expect(failing.model.dirty).toBe(true);
  files.mockClear();
  files.mockImplementation(async path => ({ path }));
  started = "a third";
  await vi.advanceTimersByTimeAsync(13_000);
  expect(written()).toEqual([["work/b.py", "typed\n"]]);
  expect(load).toHaveBeenCalledOnce();
});
