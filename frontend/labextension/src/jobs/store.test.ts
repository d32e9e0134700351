// @vitest-environment happy-dom
import { ApiError } from "@cairn/api/errors";
import type { Change, Job, JobState } from "@cairn/api/types";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Api } from "../api/operations";
import { JobStore } from "./store";

/** A project with this many jobs, newest first; all are complete but those that a test says. */
let states: Map<number, JobState>;
let last = 0;
let asked: string[] = [];
/** How long an answer is under way, which says how things were when it was asked for; rejects where nobody answers. */
let underWay = async (_: string): Promise<void> => undefined;

const job = (number: number): Job =>
  ({
    id: `j-${number}`,
    project: "p",
    number,
    state: states.get(number) ?? "complete",
    metadata: {},
  }) as unknown as Job;

const api = {
  workspaceId: "w",
  client: { url: () => "http://localhost/events" },
  workspace: async () => {
    await underWay("workspace");
    return { project: "p", project_id: "p-1" };
  },
  jobs: async (_: string, limit: number, cursor: string | null = null) => {
    asked.push(`page ${cursor ?? "first"}`);
    const from = cursor === null ? last : Number(cursor);
    const size = Math.min(limit, from);
    const next = from > limit ? String(from - limit) : null;
    const items = Array.from({ length: size }, (_, at) => job(from - at));
    await underWay("page");
    return { items, next };
  },
  job: async (_: string, number: number) => {
    asked.push(`#${number}`);
    if (number > last) throw new ApiError(404, "not_found", "There is no such job.", null);
    const answer = job(number);
    await underWay("job");
    return answer;
  },
} as unknown as Api;

beforeEach(() => {
  states = new Map();
  last = 60;
  asked = [];
  underWay = async () => undefined;
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const numbers = (store: JobStore) => store.get().jobs.map(each => each.number);
const stateOf = (store: JobStore, number: number) =>
  store.get().jobs.find(each => each.number === number)?.state;
const down = (from: number, to: number) => Array.from({ length: from - to + 1 }, (_, at) => from - at);

test("the newest come first, more on demand", async () => {
  const store = new JobStore(api);
  await store.reload();
  expect(numbers(store)).toEqual(down(60, 41));
  await store.more();
  await store.more();
  expect(numbers(store)).toEqual(down(60, 1));
  expect(store.get().next).toBeNull();
});

test("a job further down that runs is followed to its end", async () => {
  states.set(30, "started");
  const store = new JobStore(api);
  await store.reload();
  await store.more();
  states.set(30, "complete");
  await store.reload();
  expect(stateOf(store, 30)).toBe("complete");
  asked = [];
  await store.reload();
  expect(asked).toEqual(["page first"]);
});

test("a job that is waited for is read, however old it is, and one that is gone is passed over", async () => {
  states.set(3, "started");
  const store = new JobStore(api);
  store.watch(3);
  store.watch(99);
  await store.reload();
  expect(stateOf(store, 3)).toBe("started");
  expect(store.get()).toMatchObject({ error: null, next: "40" });
  await store.more();
  expect(numbers(store)).toEqual([...down(60, 21), 3]);
});

test("many of them are read by pages", async () => {
  for (const number of down(30, 21)) states.set(number, "started");
  const store = new JobStore(api);
  await store.reload();
  await store.more();
  states.clear();
  asked = [];
  await store.reload();
  expect(asked).toEqual(["page first", "page 40"]);
  expect(store.get().jobs.every(each => each.state === "complete")).toBe(true);
});

test("nothing is missing between old and new", async () => {
  const store = new JobStore(api);
  await store.reload();
  last = 75;
  await store.reload();
  expect(numbers(store)).toEqual(down(75, 41));
  last = 120;
  store.learn(job(120));
  await store.reload();
  expect(numbers(store)).toEqual(down(120, 101));
  await store.more();
  expect(numbers(store)).toEqual(down(120, 81));
});

/** A stream that delivers what a test says. */
class Stream {
  static last: Stream;
  readyState = 1;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onerror = null;
  readonly #others = new Map<string, (event: { lastEventId: string }) => void>();

  constructor() {
    Stream.last = this;
  }

  addEventListener = (kind: string, listener: (event: { lastEventId: string }) => void) =>
    void this.#others.set(kind, listener);

  close = () => undefined;

  /** Says that this job changed. */
  say(number: number): void {
    const change: Partial<Change> = {
      number,
      kind: "job.changed",
      subject: `j-${number}`,
      project_id: "p-1",
    };
    this.onmessage?.({ data: JSON.stringify(change) });
  }

  reset = () => this.#others.get("reset")?.({ lastEventId: "1" });
}

/** More than the time in which changes are gathered. */
const SOON = 300;
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const refuse = async () => {
  throw new ApiError(502, "bad_gateway", "Nobody answers.", null);
};

async function followed(): Promise<{ store: JobStore; stop: () => void }> {
  vi.useFakeTimers();
  vi.stubGlobal("EventSource", Stream);
  const store = new JobStore(api);
  const stop = store.start();
  Stream.last.onopen?.();
  await pass(SOON);
  return { store, stop };
}

/** Keeps answers under way until the returned function is called. */
function hold(what: string): () => void {
  let release: () => void = () => undefined;
  const held = new Promise<void>(resolve => {
    release = resolve;
  });
  underWay = async asked => {
    if (asked === what) await held;
  };
  return () => release();
}

test("a change that could not be read is read again, ever later, until it is", async () => {
  states.set(60, "started");
  const { store, stop } = await followed();
  states.set(60, "complete");
  underWay = refuse;
  asked = [];
  Stream.last.say(60);
  await pass(SOON);
  expect(store.get()).toMatchObject({ isLive: true, error: expect.stringContaining("Nobody answers") });
  expect(stateOf(store, 60)).toBe("started");
  await pass(120_000);
  expect(asked.length).toBeLessThan(15);
  const tried = asked.length;
  Stream.last.say(59);
  await pass(SOON);
  expect(asked.length, "another change is no reason to hurry").toBe(tried);
  underWay = async () => undefined;
  await pass(15_000);
  expect(stateOf(store, 60)).toBe("complete");
  expect(store.get().error).toBeNull();
  asked = [];
  await pass(60_000);
  expect(asked, "and not again after that").toEqual([]);
  stop();
});

test("who stops listening is asked for nothing more", async () => {
  const { stop } = await followed();
  underWay = refuse;
  Stream.last.say(60);
  await pass(SOON);
  stop();
  asked = [];
  await pass(60_000);
  expect(asked).toEqual([]);
});

test("a change that comes while everything is read for the first time is not lost", async () => {
  states.set(60, "started");
  const release = hold("page");
  const { store, stop } = await followed();
  expect(store.get()).toMatchObject({ workspace: { project: "p" }, isRead: false });
  states.set(60, "complete");
  Stream.last.say(60);
  await pass(SOON);
  release();
  await pass(SOON);
  expect(stateOf(store, 60)).toBe("complete");
  expect(store.get().isRead).toBe(true);
  stop();
});

test("everything is read after what is being read, not beside it", async () => {
  states.set(60, "started");
  const { store, stop } = await followed();
  const release = hold("job");
  asked = [];
  Stream.last.say(60);
  await pass(SOON);
  Stream.last.reset();
  await pass(SOON);
  expect(asked).toEqual(["#60"]);
  states.set(60, "complete");
  release();
  await pass(SOON);
  expect(asked).toEqual(["#60", "page first"]);
  expect(stateOf(store, 60)).toBe("complete");
  stop();
});

test("where everything could not be read, it is tried again with what changed meanwhile", async () => {
  const { store, stop } = await followed();
  last = 61;
  underWay = refuse;
  Stream.last.reset();
  await pass(SOON);
  Stream.last.say(3);
  await pass(SOON);
  expect(numbers(store)[0]).toBe(60);
  underWay = async () => undefined;
  await pass(15_000);
  expect(numbers(store)[0]).toBe(61);
  expect(store.get().error).toBeNull();
  stop();
});
