/** The columns of the job table: the fixed ones and any parameter or metadata key. */
import type { Job } from "@cairn/api/types";
import type { ReactNode } from "react";
import { JobTitle } from "~/components/JobTitle";
import { fieldOf } from "~/filter/filter";
import { value } from "~/lib/format";
import { shownState } from "~/lib/job";
import { JobBadge } from "~/ui/State";
import { Ago, Lasting } from "~/ui/Time";

export interface Column {
  key: string;
  label: string;
  width: string;
  numeric?: boolean;
  cell: (job: Job) => ReactNode;
}

const FIXED: Column[] = [
  { key: "name", label: "Job", width: "minmax(220px, 2.4fr)", cell: job => <JobTitle job={job} short /> },
  { key: "state", label: "State", width: "116px", cell: job => <JobBadge state={shownState(job)} /> },
  {
    key: "created",
    label: "Created",
    width: "96px",
    cell: job => <Ago ms={job.created_ms} className="text-muted" />,
  },
  {
    key: "duration",
    label: "Duration",
    width: "92px",
    numeric: true,
    cell: job => <Lasting from={job.started_ms} to={job.ended_ms} />,
  },
  { key: "user", label: "Who", width: "minmax(72px, 0.6fr)", cell: job => job.user },
  { key: "machine", label: "Machine", width: "minmax(80px, 0.6fr)", cell: job => job.machine },
  { key: "environment", label: "Environment", width: "minmax(90px, 0.6fr)", cell: job => job.environment },
];
export const FIXED_KEYS = FIXED.map(column => column.key);

function valueColumn(key: string): Column {
  return {
    key,
    label: key.replace(/^(param|metadata)\./, ""),
    width: "minmax(88px, 0.7fr)",
    numeric: true,
    cell: job => {
      const found = fieldOf(job, key);
      return found === undefined ? (
        <span className="text-faint">–</span>
      ) : (
        <span title={String(found)}>{value(found)}</span>
      );
    },
  };
}

export function columnsOf(keys: string[]): Column[] {
  return keys.map(key => FIXED.find(column => column.key === key) ?? valueColumn(key));
}

/** Without a choice: the fixed columns that tell apart, and the latest jobs' metadata, a few of them. */
export function usualKeys(jobs: Job[]): string[] {
  const metadata = new Map<string, number>();
  for (const job of jobs.slice(0, 50)) {
    for (const [key, each] of Object.entries(job.metadata)) {
      if (typeof each === "number" && key !== "step" && key !== "epoch")
        metadata.set(key, (metadata.get(key) ?? 0) + 1);
    }
  }
  const top = [...metadata.entries()].sort((a, b) => b[1] - a[1]).slice(0, 3);
  return ["name", "state", ...top.map(([key]) => `metadata.${key}`), "duration", "created", "user"];
}
