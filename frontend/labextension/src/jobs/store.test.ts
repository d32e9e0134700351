// @vitest-environment happy-dom
import { ApiError } from "@cairn/api/errors";
import type { Job, JobState } from "@cairn/api/types";
import { beforeEach, expect, test } from "vitest";
import type { Api } from "../api/operations";
import { JobStore } from "./store";

/** A project with this many jobs, newest first; all are complete but those that a test says. */
let states: Map<number, JobState>;
let last = 0;
let asked: string[] = [];

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
  workspace: async () => ({ project: "p", project_id: "p-1" }),
  jobs: async (_: string, limit: number, cursor: string | null = null) => {
    asked.push(`page ${cursor ?? "first"}`);
    const from = cursor === null ? last : Number(cursor);
    const size = Math.min(limit, from);
    const next = from > limit ? String(from - limit) : null;
    return { items: Array.from({ length: size }, (_, at) => job(from - at)), next };
  },
  job: async (_: string, number: number) => {
    asked.push(`#${number}`);
    if (number > last) throw new ApiError(404, "not_found", "There is no such job.", null);
    return job(number);
  },
} as unknown as Api;

beforeEach(() => {
  states = new Map();
  last = 60;
  asked = [];
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
