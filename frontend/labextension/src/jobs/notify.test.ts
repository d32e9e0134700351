import type { Job } from "@cairn/api/types";
import { beforeEach, expect, test, vi } from "vitest";
import { notifyEnds } from "./notify";
import type { JobStore } from "./store";

interface Notice {
  message: string;
  actions: { label: string; callback: () => void }[];
}
const notices = vi.hoisted(() => [] as Notice[]);
vi.mock("@jupyterlab/apputils", () => ({
  Notification: {
    emit: (message: string, _: string, { actions = [] }: { actions?: Notice["actions"] }) =>
      notices.push({ message, actions }),
  },
}));

const kept = new Map<string, string>();
vi.stubGlobal("sessionStorage", {
  getItem: (key: string) => kept.get(key) ?? null,
  setItem: (key: string, value: string) => kept.set(key, value),
});

const job = (state: Job["state"]) =>
  ({
    project: "p",
    number: 7,
    name: "train",
    state,
    notebook: "a.ipynb",
    outputs: { files: 1 },
    metadata: {},
  }) as unknown as Job;

function store(...jobs: Job[]) {
  const watched = new Set<number>();
  let changed: () => void = () => undefined;
  const made = {
    get: () => ({ jobs }),
    subscribe: (listener: () => void) => {
      changed = listener;
      return () => undefined;
    },
    watch: (number: number) => void watched.add(number),
    unwatch: (number: number) => void watched.delete(number),
  };
  return { store: made as unknown as JobStore, watched, jobs, change: () => changed() };
}

const press = (notice: Notice | undefined, label: string) =>
  notice?.actions.find(each => each.label === label)?.callback();

beforeEach(() => {
  kept.clear();
  notices.length = 0;
});

test("a job that was submitted is followed to its end, by a tab that loads again as well", () => {
  const before = store();
  notifyEnds(before.store, { show: () => undefined, open: async () => undefined })(job("queued"));
  expect([...before.watched]).toEqual([7]);
  const after = store(job("complete"));
  notifyEnds(after.store, { show: () => undefined, open: async () => undefined });
  expect([...after.watched]).toEqual([7]);
  after.change();
  after.change();
  expect(notices.map(each => each.message)).toEqual(["p#7 train: complete"]);
  expect([...after.watched]).toEqual([]);
});

test("a notebook that does not open says why, and can be tried again", async () => {
  const open = vi.fn(async () => {
    throw new Error("The disk is full.");
  });
  const { store: made, change, jobs } = store();
  notifyEnds(made, { show: () => undefined, open })(job("queued"));
  jobs.push(job("complete"));
  change();
  press(notices[0], "Open as notebook");
  await vi.waitFor(() => expect(notices).toHaveLength(2));
  expect(notices[1]?.message).toBe("The notebook of p#7 could not be opened. The disk is full.");
  press(notices[1], "Try again");
  expect(open).toHaveBeenCalledTimes(2);
});
