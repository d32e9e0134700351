/** Tells when a job ends that was submitted from this tab. A tab that loads again remembers which those are. */

import type { Job } from "@cairn/api/types";
import { duration, value } from "@cairn/app/lib/format";
import { hasOutputs, isOver } from "@cairn/app/lib/job";
import { Notification } from "@jupyterlab/apputils";
import { words } from "../api/client";
import { latest } from "./list";
import type { JobStore } from "./store";

const KEY = "cairn-lab:submitted";
const VALUES = 3;
const SHOWN_MS = 15_000;

/** The numbers of jobs that this tab waits for. The store follows them, however old they are. */
class Submitted {
  readonly #store: JobStore;
  readonly #numbers: Set<number>;

  constructor(store: JobStore) {
    this.#store = store;
    this.#numbers = new Set(JSON.parse(sessionStorage.getItem(KEY) ?? "[]") as number[]);
    this.#numbers.forEach(store.watch);
  }

  add(number: number): void {
    this.#numbers.add(number);
    this.#store.watch(number);
    this.#keep();
  }

  /** Whether it was one; it is none afterwards. */
  take(number: number): boolean {
    const was = this.#numbers.delete(number);
    this.#store.unwatch(number);
    if (was) this.#keep();
    return was;
  }

  #keep(): void {
    sessionStorage.setItem(KEY, JSON.stringify([...this.#numbers]));
  }
}

export interface Actions {
  show: (job: Job) => void;
  open: (job: Job) => Promise<unknown>;
}

function ending(job: Job): string {
  const took = job.started_ms && job.ended_ms ? ` after ${duration(job.ended_ms - job.started_ms)}` : "";
  const values = latest(job.metadata, VALUES).map(([key, each]) => `${key} ${value(each)}`);
  const what = `${job.project}#${job.number} ${job.name}: ${job.state}${took}`;
  return [what, job.state === "complete" ? values.join(", ") : job.message].filter(Boolean).join(". ");
}

/** Opens a job's notebook from a notice; there is no other place where it could say what went wrong. */
function opening(job: Job, open: Actions["open"]): void {
  open(job).catch((error: unknown) =>
    Notification.emit(
      `The notebook of ${job.project}#${job.number} could not be opened. ${words(error)}`,
      "error",
      {
        autoClose: false,
        actions: [{ label: "Try again", displayType: "accent", callback: () => opening(job, open) }],
      },
    ),
  );
}

/** Returns what is to be called with each job that is submitted here. */
export function notifyEnds(store: JobStore, { show, open }: Actions): (job: Job) => void {
  const submitted = new Submitted(store);
  const tell = (job: Job) => {
    const type = job.state === "complete" ? "success" : job.state === "error" ? "error" : "warning";
    const actions: Notification.IAction[] = [
      { label: "Show", displayType: "accent", callback: () => show(job) },
    ];
    if (job.notebook && hasOutputs(job))
      actions.push({ label: "Open as notebook", callback: () => opening(job, open) });
    // What went well goes to the bell by itself; what did not waits to be seen.
    Notification.emit(ending(job), type, { autoClose: type === "success" ? SHOWN_MS : false, actions });
  };
  store.subscribe(() => {
    for (const job of store.get().jobs) if (isOver(job.state) && submitted.take(job.number)) tell(job);
  });
  return job => submitted.add(job.number);
}
