/** What a job's state means, and how it looks: one word, one icon, one colour each. */
import type { Job, JobState } from "@cairn/api/types";

export type Tone = "idle" | "busy" | "ok" | "warn" | "bad";

export interface JobLook {
  tone: Tone;
  icon: "circle" | "clock" | "ring" | "stop" | "alert" | "check";
  turning?: boolean;
}

const LOOKS: Record<JobState, JobLook> = {
  created: { tone: "idle", icon: "circle" },
  queued: { tone: "idle", icon: "clock" },
  started: { tone: "busy", icon: "ring", turning: true },
  stopping: { tone: "warn", icon: "ring", turning: true },
  stopped: { tone: "idle", icon: "stop" },
  error: { tone: "bad", icon: "alert" },
  complete: { tone: "ok", icon: "check" },
};

/** A state that a newer server may have made up looks like nothing in particular. */
export const jobLook = (state: JobState): JobLook => LOOKS[state] ?? LOOKS.created;

export const isOver = (state: JobState): boolean =>
  state === "stopped" || state === "error" || state === "complete";
export const isRunning = (state: JobState): boolean => state === "started" || state === "stopping";

export const hasOutputs = (job: Pick<Job, "outputs">): boolean => (job.outputs?.files ?? 0) > 0;
