/** What is yours and running, what happened last, and what is free. */
import type { Job, MachineType, Project, Workspace } from "@cairn/api/types";
import { useQuery } from "@tanstack/react-query";
import type { LoaderFunctionArgs } from "react-router";
import { JobTitle } from "~/components/JobTitle";
import { MachineTypeRow } from "~/components/MachineTypes";
import { plural } from "~/lib/format";
import { isRunning, shownState } from "~/lib/job";
import { micros, perHour, sum } from "~/lib/money";
import { prefetch, usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { paths } from "~/paths";
import { meQuery } from "~/queries/account";
import { latestJobsQuery } from "~/queries/jobs";
import { machineTypesQuery, myWorkspacesQuery, projectsQuery } from "~/queries/projects";
import { ButtonLink } from "~/ui/Button";
import { Empty } from "~/ui/Empty";
import { ErrorNotice, Notice } from "~/ui/Notice";
import { Card, Page, Section } from "~/ui/Page";
import { JobBadge } from "~/ui/State";
import { Ago, Lasting } from "~/ui/Time";
import { WorkspaceCard } from "./WorkspaceCard";

export async function loader({ request }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  await Promise.all([prefetch(myWorkspacesQuery), prefetch(latestJobsQuery), prefetch(projectsQuery)]);
  return null;
}

const RANK: Record<Workspace["state"], number> = {
  running: 0,
  starting: 1,
  stopping: 2,
  error: 3,
  stopped: 4,
};

function Workspaces({ workspaces, project }: { workspaces: Workspace[]; project: Project | undefined }) {
  const sorted = [...workspaces].sort(
    (a, b) =>
      RANK[a.state] - RANK[b.state] ||
      (b.last_activity_ms ?? b.created_ms) - (a.last_activity_ms ?? a.created_ms),
  );
  const make = project ? paths.newWorkspace(project.name) : null;
  return (
    <Section
      title="Your workspaces"
      actions={
        make && sorted.length > 0 ? (
          <ButtonLink size="sm" icon="plus" to={make}>
            New workspace
          </ButtonLink>
        ) : null
      }
    >
      {sorted.length > 0 ? (
        <div className="grid grid-cols-[repeat(auto-fill,minmax(min(280px,100%),1fr))] gap-3">
          {sorted.map(workspace => (
            <WorkspaceCard key={workspace.id} workspace={workspace} />
          ))}
        </div>
      ) : (
        <Empty
          icon="workspace"
          title="Make your first workspace"
          command={`cairn ws create lab${project ? ` --project ${project.name}` : ""}`}
          action={
            make ? (
              <ButtonLink look="primary" icon="plus" to={make}>
                New workspace
              </ButtonLink>
            ) : null
          }
        >
          A workspace is a home of your own that lasts, with JupyterLab in it. Start it on any machine, stop
          it when you are done: your files stay.
        </Empty>
      )}
    </Section>
  );
}

function LatestJobs({ jobs, project }: { jobs: Job[]; project: Project | undefined }) {
  if (jobs.length === 0) {
    return (
      <Section title="Latest jobs">
        <Empty
          icon="jobs"
          title="No job has run yet"
          command="cairn run -- python train.py"
          action={project ? <ButtonLink to={paths.newJob(project.name)}>New job</ButtonLink> : null}
        >
          A job is one tracked run of a command or a notebook: its code, parameters, log, charts and outputs
          are kept.
        </Empty>
      </Section>
    );
  }
  return (
    <Section
      title="Latest jobs"
      actions={
        project ? (
          <ButtonLink look="quiet" size="sm" to={paths.jobs(project.name)}>
            All jobs of {project.name}
          </ButtonLink>
        ) : null
      }
    >
      <Card>
        <ul className="divide-y divide-line">
          {jobs.map(job => (
            <li key={job.id} className="flex items-center gap-3 px-4 py-2.5">
              <div className="min-w-0 flex-1">
                <JobTitle job={job} />
                <p className="truncate text-sm text-muted">
                  {job.user} · <Ago ms={job.created_ms} />
                  {job.started_ms ? (
                    <>
                      {" · "}
                      <Lasting from={job.started_ms} to={job.ended_ms} />
                    </>
                  ) : null}
                </p>
              </div>
              <JobBadge state={shownState(job)} />
            </li>
          ))}
        </ul>
      </Card>
    </Section>
  );
}

/** How much of yours runs now, and what an hour of it costs. */
function RunsNow({ workspaces, jobs }: { workspaces: Workspace[]; jobs: Job[] }) {
  const up = workspaces.filter(each => each.state === "running");
  const running = jobs.filter(job => isRunning(job.state));
  const cost = sum([...up, ...running].map(each => micros(each.price_per_hour)));
  const parts = [
    up.length > 0 ? plural(up.length, "workspace") : null,
    running.length > 0 ? plural(running.length, "job") : null,
  ].filter(Boolean);
  if (parts.length === 0) return <p className="text-muted">Nothing of yours runs now.</p>;
  const isOne = up.length + running.length === 1;
  return (
    <p className="text-muted">
      {parts.join(" and ")} of yours {isOne ? "runs" : "run"} now
      {cost === null ? (
        "."
      ) : (
        <>
          , for <span className="text-text">{perHour(cost)}</span>.
        </>
      )}
    </p>
  );
}

function Capacity({ types, error }: { types: MachineType[]; error: unknown }) {
  return (
    <Section title="Free capacity">
      <ErrorNotice error={error} />
      {types.length > 0 ? (
        <Card>
          <ul className="divide-y divide-line">
            {types.map(type => (
              <li key={type.name}>
                <MachineTypeRow type={type} />
              </li>
            ))}
          </ul>
        </Card>
      ) : null}
    </Section>
  );
}

export function Component() {
  const me = usePrefetched(meQuery);
  const workspaces = usePrefetched(myWorkspacesQuery).items;
  const jobs = usePrefetched(latestJobsQuery).items;
  const project = usePrefetched(projectsQuery).items[0];
  const types = useQuery(machineTypesQuery);
  return (
    <Page
      title={
        <div>
          <h1 className="text-xl font-semibold">Hello, {me.display_name || me.name}</h1>
          <RunsNow workspaces={workspaces} jobs={jobs.filter(job => job.user_id === me.id)} />
        </div>
      }
      tab="Start"
    >
      {me.has_password ? null : (
        <Notice
          title="Set a password"
          action={
            <ButtonLink size="sm" to={paths.account()}>
              Set a password
            </ButtonLink>
          }
        >
          You came in by a link, and links work once. A password lets you come back.
        </Notice>
      )}
      <Workspaces workspaces={workspaces} project={project} />
      <div className="grid gap-6 lg:grid-cols-[minmax(0,1fr)_300px]">
        <LatestJobs jobs={jobs} project={project} />
        <Capacity types={types.data?.items ?? []} error={types.error} />
      </div>
    </Page>
  );
}
