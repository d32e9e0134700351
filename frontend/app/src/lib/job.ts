/** What a job's state means, and how it looks: one word, one icon, one colour each. */
import type { Job, JobState } from "@cairn/api/types";

export type Tone = "idle" | "busy" | "ok" | "warn" | "bad";

export interface JobLook {
  tone: Tone;
  icon: "circle" | "clock" | "ring" | "pause" | "stop" | "alert" | "check";
  turning?: boolean;
}

/** A state as people are told it: a run that waits at a cell that failed does not run. */
export type ShownState = JobState | "held";

export const shownState = ({ state, hold }: Pick<Job, "state" | "hold">): ShownState =>
  state === "started" && hold ? "held" : state;

const LOOKS: Record<ShownState, JobLook> = {
  created: { tone: "idle", icon: "circle" },
  queued: { tone: "idle", icon: "clock" },
  started: { tone: "busy", icon: "ring", turning: true },
  held: { tone: "warn", icon: "pause" },
  stopping: { tone: "warn", icon: "ring", turning: true },
  stopped: { tone: "idle", icon: "stop" },
  error: { tone: "bad", icon: "alert" },
  complete: { tone: "ok", icon: "check" },
};

/** A state that a newer server may have made up looks like nothing in particular. */
export const jobLook = (state: ShownState): JobLook => LOOKS[state] ?? LOOKS.created;

export const isOver = (state: JobState): boolean =>
  state === "stopped" || state === "error" || state === "complete";
export const isRunning = (state: JobState): boolean => state === "started" || state === "stopping";

export const hasOutputs = (job: Pick<Job, "outputs">): boolean => (job.outputs?.files ?? 0) > 0;
