/** What is yours and running, what happened last, and what is free. */
import type { Job, MachineType, Project, Workspace } from "@cairn/api/types";
import { useQuery } from "@tanstack/react-query";
import type { LoaderFunctionArgs } from "react-router";
import { Link } from "react-router";
import { JobTitle } from "~/components/JobTitle";
import { MachineTypeRow } from "~/components/MachineTypes";
import { WorkspaceActions } from "~/components/WorkspaceActions";
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
import { JobBadge, WorkspaceBadge } from "~/ui/State";
import { Ago, Lasting } from "~/ui/Time";

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

function WorkspaceCard({ workspace }: { workspace: Workspace }) {
  const isUp = workspace.state === "running" && workspace.started_ms;
  return (
    <Card className="grid content-between gap-4 p-4">
      <div className="grid gap-1">
        <div className="flex items-center justify-between gap-2">
          <Link
            to={paths.workspace(workspace.project, workspace.id)}
            className="truncate rounded text-lg font-medium hover:underline"
          >
            {workspace.name}
          </Link>
          <WorkspaceBadge state={workspace.state} />
        </div>
        <p className="truncate text-sm text-muted">
          {workspace.project} · {workspace.environment} · {workspace.machine}
          {isUp ? (
            <>
              {" · up "}
              <Lasting from={workspace.started_ms} />
            </>
          ) : null}
        </p>
        {workspace.state === "starting" && workspace.phase ? (
          <p className="text-sm text-busy">{workspace.phase}</p>
        ) : null}
        {workspace.state === "error" && workspace.message ? (
          <p className="line-clamp-2 text-sm text-bad">{workspace.message}</p>
        ) : null}
      </div>
      <WorkspaceActions workspace={workspace} mine size="sm" />
    </Card>
  );
}

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
              <JobBadge state={job.state} />
            </li>
          ))}
        </ul>
      </Card>
    </Section>
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
    <Page title={`Hello, ${me.display_name || me.name}`} tab="Start">
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
