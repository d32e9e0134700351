/** A job's number and name as a link to it. */
import type { Job } from "@cairn/api/types";
import { Link } from "react-router";
import { joinCommand } from "~/lib/shell";
import { paths } from "~/paths";

/** What a job runs, in one line. */
export const runs = (job: Pick<Job, "command" | "notebook">): string =>
  job.notebook ?? joinCommand(job.command ?? []);

export const jobName = (job: Pick<Job, "name" | "command" | "notebook">): string => job.name || runs(job);

/** `short` leaves the project out where the place says it already. */
export function JobTitle({ job, short }: { job: Job; short?: boolean }) {
  return (
    <Link
      to={paths.job(job.project, job.number)}
      className="flex min-w-0 gap-2 rounded font-medium hover:underline"
    >
      <span className="shrink-0 font-normal text-muted">
        {short ? "" : job.project}#{job.number}
      </span>
      <span className="truncate">{jobName(job)}</span>
    </Link>
  );
}
