/** How far a start or a restart is, from its phases and how long each took before. Pure. */
import type { Phase, Progress, Workspace } from "@cairn/api/types";
import { ordinal } from "./machine";

/** Its place in the queue, and for what it waits; null where it does not. */
export const queueText = ({ queue }: Pick<Workspace, "queue">): string | null =>
  queue ? `${ordinal(queue.position)} of ${queue.length}. ${queue.reason}` : null;

/** What a workspace on its way is doing now, in one line. */
export function nowText(workspace: Workspace): string | null {
  const waits = queueText(workspace);
  if (waits) return `Waiting for a machine: ${waits}`;
  const now = workspace.progress?.phases.find(phase => phase.started_ms !== null && phase.ended_ms === null);
  return now?.label ?? workspace.phase ?? null;
}

export type Step = Phase & {
  state: "done" | "now" | "next";
  /** How long it took, or takes until now; null before it began. */
  elapsed_ms: number | null;
};

export interface Outlook {
  steps: Step[];
  elapsed_ms: number;
  /** What is likely left; null where nobody can tell, as in a queue. */
  left_ms: number | null;
  /** Done of the whole, 0 to 1; null where nobody can tell. */
  share: number | null;
}

function step(phase: Phase, nowMs: number): Step {
  if (phase.started_ms === null) return { ...phase, state: "next", elapsed_ms: null };
  const until = phase.ended_ms ?? nowMs;
  return {
    ...phase,
    state: phase.ended_ms === null ? "now" : "done",
    elapsed_ms: Math.max(0, until - phase.started_ms),
  };
}

/** What is left of a step by its history. A step that takes longer than ever before is taken to be nearly done. */
function left(step: Step): number | null {
  if (step.state === "done") return 0;
  if (step.estimate_ms === null) return null;
  return Math.max(step.estimate_ms / 20, step.estimate_ms - (step.elapsed_ms ?? 0));
}

export function outlook(progress: Progress, nowMs: number): Outlook {
  const steps = progress.phases.map(phase => step(phase, nowMs));
  const elapsed = Math.max(0, nowMs - progress.started_ms);
  const lefts = steps.map(left);
  const known = lefts.every(each => each !== null);
  const leftMs = known ? lefts.reduce((sum: number, each) => sum + (each ?? 0), 0) : null;
  const total = leftMs === null ? 0 : elapsed + leftMs;
  return {
    steps,
    elapsed_ms: elapsed,
    left_ms: leftMs,
    share: total > 0 ? Math.min(0.99, elapsed / total) : null,
  };
}

/** `about 20 s left`, in steps that do not flicker. */
export function leftText(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 5) return "a few seconds left";
  if (seconds < 55) return `about ${Math.ceil(seconds / 5) * 5} s left`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 60 ? `about ${minutes} min left` : `about ${Math.ceil(minutes / 60)} h left`;
}
