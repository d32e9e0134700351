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
  document.body.replaceChildren();
});

/** A tab with these shared documents; null where none can be shared. Nothing of it is marked as not saved. */
async function tab(providers: unknown): Promise<{ status: { isDirty: boolean } }> {
  const getProvider = () => {
    if (providers === null) throw new Error("Provider rtc is not registered");
    return { providers };
  };
  const app = {
    status: { isDirty: false },
    commands: { execute: saveAll },
    serviceManager: { contents: { defaultDrive: { contentProviderRegistry: { getProvider } } } },
  };
  await new Watch(app as unknown as JupyterLab, BASE, load).begin();
  return app;
}

async function restarts(ms: number): Promise<void> {
  started = "after";
  await vi.advanceTimersByTimeAsync(5000 + ms);
}

const link = (synced: boolean): Link => ({ wsProvider: { wsconnected: true, synced } });

test("a tab loads again when all is saved", async () => {
  await tab(null);
  await restarts(500);
  expect(saveAll).toHaveBeenCalledOnce();
  expect(load).toHaveBeenCalledOnce();
});

test("what cannot be saved stays, and can be loaded by hand", async () => {
  const app = await tab(null);
  app.status.isDirty = true;
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

test("shared documents are saved once they are connected and in step, not before", async () => {
  const document: Link = { wsProvider: null };
  await tab(new Map([["json:notebook:a.ipynb", document]]));
  await restarts(2000);
  expect(saveAll).not.toHaveBeenCalled();
  document.wsProvider = link(false).wsProvider;
  await vi.advanceTimersByTimeAsync(1000);
  expect(saveAll).not.toHaveBeenCalled();
  document.wsProvider = link(true).wsProvider;
  await vi.advanceTimersByTimeAsync(1000);
  expect(saveAll).toHaveBeenCalledOnce();
  expect(load).toHaveBeenCalledOnce();
});

test.each([
  [
    "has no connection",
    new Map([
      ["a", link(true)],
      ["b", { wsProvider: null }],
    ]),
  ],
  ["is never in step", new Map([["a", link(false)]])],
  ["does not say", undefined],
])("where a shared document %s, a person decides, though nothing is marked", async (_, providers) => {
  await tab(providers);
  await restarts(20_000);
  expect(saveAll, "it would take marks away and save nothing").not.toHaveBeenCalled();
  expect(load).not.toHaveBeenCalled();
  expect(said()).toContain("Load again");
});
