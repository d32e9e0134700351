/** What a run has cost, counted on while it runs. Nothing where its machine has no price. */
import type { Job, Workspace } from "@cairn/api/types";
import { useNow } from "~/lib/clock";
import { micros, money, over, perHour } from "~/lib/money";

type Run = Pick<Job | Workspace, "cost" | "price_per_hour" | "started_ms"> & { ended_ms?: number | null };

/** The server's figure for what has ended; the price times the time for what runs. */
export function costOf(run: Run, nowMs: number): number | null {
  const price = micros(run.price_per_hour);
  const told = micros(run.cost);
  if (run.ended_ms || price === null || !run.started_ms) return told;
  return Math.max(told ?? 0, over(price, nowMs - run.started_ms));
}

export function Cost({ job }: { job: Job }) {
  const now = useNow(5000);
  const cost = costOf(job, now);
  const price = micros(job.price_per_hour);
  if (cost === null) return null;
  return <span title={price === null ? undefined : `at ${perHour(price)}`}>{money(cost)}</span>;
}
