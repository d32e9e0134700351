/** One job: what it is and how it goes, above its tabs. */
import * as api from "@cairn/api/operations";
import type { Job } from "@cairn/api/types";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type LoaderFunctionArgs, NavLink, Outlet } from "react-router";
import { Cost } from "~/components/Cost";
import { jobName } from "~/components/JobTitle";
import { useJob } from "~/hooks/useJob";
import { cx } from "~/lib/class";
import { isOver, shownState } from "~/lib/job";
import { ordinal } from "~/lib/machine";
import { prefetch, usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { type JobTab, paths } from "~/paths";
import { jobQuery } from "~/queries/jobs";
import { projectQuery } from "~/queries/projects";
import { Button } from "~/ui/Button";
import { ErrorNotice } from "~/ui/Notice";
import { JobBadge } from "~/ui/State";
import { Ago, Lasting } from "~/ui/Time";
import { Held } from "./Held";
import { RunAgain } from "./RunAgain";

export async function loader({ request, params }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  const number = Number(params.number);
  if (!Number.isInteger(number) || number < 1) throw new Response(null, { status: 404 });
  const project = params.project ?? "";
  await Promise.all([prefetch(jobQuery(project, number)), prefetch(projectQuery(project))]);
  return null;
}

const TABS: { tab: JobTab; label: string }[] = [
  { tab: "overview", label: "Overview" },
  { tab: "log", label: "Log" },
  { tab: "charts", label: "Charts" },
  { tab: "outputs", label: "Outputs" },
  { tab: "code", label: "Code" },
  { tab: "lineage", label: "Lineage" },
];

function Actions({ job }: { job: Job }) {
  const client = useQueryClient();
  const [again, setAgain] = useState(false);
  const { role } = usePrefetched(projectQuery(job.project));
  const stop = useMutation({
    mutationFn: () => api.stopJob(job.project, job.number),
    onSuccess: () => client.invalidateQueries({ queryKey: jobQuery(job.project, job.number).queryKey }),
  });
  if (role === "viewer") return null;
  return (
    <div className="grid justify-items-end gap-2">
      <div className="flex gap-2">
        {isOver(job.state) ? null : (
          <Button
            icon={waits(job) ? "close" : "stop"}
            busy={stop.isPending || job.state === "stopping"}
            onClick={() => stop.mutate()}
          >
            {job.state === "stopping" ? "Stopping" : waits(job) ? "Cancel" : "Stop"}
          </Button>
        )}
        <Button icon="restart" look={isOver(job.state) ? "primary" : "plain"} onClick={() => setAgain(true)}>
          Run again
        </Button>
      </div>
      <ErrorNotice error={stop.error} />
      {again ? <RunAgain job={job} onClose={() => setAgain(false)} /> : null}
    </div>
  );
}

const waits = (job: Job): boolean => job.state === "queued" || job.state === "created";

/** What a job that does not run yet waits for, and after how many others. */
function Waiting({ job }: { job: Job }) {
  if (!waits(job)) return null;
  const { queue } = job;
  if (!queue) return <span>waits for {job.message || `a place on ${job.machine}`}</span>;
  return (
    <span className="text-text">
      {ordinal(queue.position)} of {queue.length} in the queue
      {queue.reason ? <span className="text-muted">: {queue.reason}</span> : null}
    </span>
  );
}

export function Component() {
  const job = useJob();
  return (
    <div className="mx-auto flex w-full max-w-400 min-w-0 flex-1 flex-col gap-4 px-4 py-5 md:px-8 md:py-6">
      <title>{`#${job.number} ${jobName(job)} · Cairn`}</title>
      <header className="flex flex-wrap items-start justify-between gap-x-4 gap-y-3">
        <div className="grid min-w-0 gap-1.5">
          <h1 className="min-w-0 text-xl font-semibold break-words">
            <span className="font-normal text-muted">#{job.number}</span> {jobName(job)}
          </h1>
          <p className="flex flex-wrap items-center gap-x-3 gap-y-1 text-muted">
            <JobBadge state={shownState(job)} />
            <Waiting job={job} />
            {job.started_ms ? (
              <Lasting from={job.started_ms} to={job.ended_ms} className="text-text" />
            ) : null}
            <span>
              {job.machine}
              {job.machine_name && job.machine_name !== job.machine ? ` on ${job.machine_name}` : null}
            </span>
            <Cost job={job} />
            <span>
              {job.user}, <Ago ms={job.created_ms} />
            </span>
          </p>
        </div>
        <Actions job={job} />
      </header>
      <Held job={job} />
      <nav
        aria-label="About this job"
        className="scrollbar-none -mx-4 flex overflow-x-auto border-b border-line px-4 md:mx-0 md:px-0"
      >
        {TABS.map(({ tab, label }) => (
          <NavLink
            key={tab}
            to={paths.job(job.project, job.number, tab)}
            end
            preventScrollReset
            className={({ isActive }) =>
              cx(
                "-mb-px border-b-2 px-3 py-2 whitespace-nowrap -outline-offset-2 transition-colors",
                isActive ? "border-accent font-medium" : "border-transparent text-muted hover:text-text",
              )
            }
          >
            {label}
            {tab === "outputs" && job.outputs ? (
              <span className="ml-1.5 text-sm font-normal text-faint">{job.outputs.files}</span>
            ) : null}
          </NavLink>
        ))}
      </nav>
      <Outlet />
    </div>
  );
}
