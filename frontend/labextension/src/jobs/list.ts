/** A project's jobs as a list that is brought up to date piece by piece. Pure. */
import type { Job } from "@cairn/api/types";

/** Puts newer versions of jobs into a list that is sorted by number, newest first. */
export function merge(known: readonly Job[], fresh: readonly Job[]): Job[] {
  const all = new Map(known.map(job => [job.number, job]));
  for (const job of fresh) all.set(job.number, job);
  return [...all.values()].sort((a, b) => b.number - a.number);
}

/** What counts the steps says little by itself. */
const COUNTERS = new Set(["step", "epoch", "batch", "iteration", "time", "timestamp"]);

/** The latest values that fit in a line: numbers first, counters last. */
export function latest(metadata: Job["metadata"], most: number): [string, Job["metadata"][string]][] {
  const rank = ([key, value]: [string, unknown]) =>
    COUNTERS.has(key) ? 2 : typeof value === "number" || value === "NaN" ? 0 : 1;
  return Object.entries(metadata)
    .filter(([, value]) => value === null || typeof value !== "object")
    .sort((a, b) => rank(a) - rank(b))
    .slice(0, most);
}

/** A name for the folder of a job's outputs. */
export function inputName(ref: string): string {
  const [, number = "", path = ""] = /#(\d+)(?:\/(.*))?$/.exec(ref) ?? [];
  const last = path.split("/").filter(Boolean).at(-1);
  const plain = last?.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[-.]+/, "");
  return plain || `job-${number}`;
}

/** What was typed as a reference to outputs, or null: `12`, `#12`, `#12/model`, `vision#12`. */
export function reference(typed: string): string | null {
  const [, project = "", number, path = ""] = /^\s*([\w.-]*#)?(\d+)((?:\/[^\s]+)?)\s*$/.exec(typed) ?? [];
  return number ? `${project || "#"}${number}${path}` : null;
}
