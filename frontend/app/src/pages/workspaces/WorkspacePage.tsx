/** One workspace: its state and how it got there, its inputs, its server's log, and its end. */
import * as api from "@cairn/api/operations";
import type { Workspace } from "@cairn/api/types";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { type LoaderFunctionArgs, useNavigate, useParams } from "react-router";
import { isOnItsWay } from "~/components/RestartOn";
import { ServerLog } from "~/components/ServerLog";
import { StartProgress } from "~/components/StartProgress";
import { useWorkspaceAction } from "~/components/useWorkspaceAction";
import { WorkspaceActions } from "~/components/WorkspaceActions";
import { share } from "~/lib/machine";
import { micros, money, perHour } from "~/lib/money";
import { prefetch, usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { paths } from "~/paths";
import { meQuery } from "~/queries/account";
import { machineTypesQuery, projectQuery, workspaceQuery, workspaceRunsQuery } from "~/queries/projects";
import { Button, ButtonLink } from "~/ui/Button";
import { Confirm } from "~/ui/Confirm";
import { Notice } from "~/ui/Notice";
import { Card, Facts, Page, Section } from "~/ui/Page";
import { WorkspaceBadge } from "~/ui/State";
import { Ago, Lasting } from "~/ui/Time";
import { toast } from "~/ui/Toasts";
import { History } from "./History";
import { HomeNotices, HomeUse } from "./HomeUse";
import { WorkspaceInputs } from "./WorkspaceInputs";

export async function loader({ request, params }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  void prefetch(machineTypesQuery).catch(() => undefined);
  void prefetch(workspaceRunsQuery(params.id ?? "")).catch(() => undefined);
  await Promise.all([
    prefetch(workspaceQuery(params.id ?? "")),
    prefetch(projectQuery(params.project ?? "")),
  ]);
  return null;
}

function Happening({ workspace }: { workspace: Workspace }) {
  const action = useWorkspaceAction(workspace);
  if (isOnItsWay(workspace)) {
    return (
      <Card className="p-4">
        <StartProgress workspace={workspace} />
      </Card>
    );
  }
  if (workspace.state === "error") {
    return (
      <div className="grid gap-3">
        <Notice
          tone="bad"
          title="The server did not keep running"
          action={
            <Button
              size="sm"
              icon="restart"
              busy={action.pending !== null}
              onClick={() => action.run({ action: "start" })}
            >
              Try again
            </Button>
          }
        >
          <p>{workspace.message ?? "It ended without saying why."}</p>
          <p className="text-sm text-muted">Your files are safe. The last lines of its log may say more.</p>
        </Notice>
        <ServerLog workspace={workspace} lines={20} />
      </div>
    );
  }
  return null;
}

/** The machine type, and the machine that it is on. */
function Where({ workspace }: { workspace: Workspace }) {
  const type = useQuery(machineTypesQuery).data?.items.find(each => each.name === workspace.machine);
  const host = workspace.machine_name;
  return (
    <span title={type ? share(type) : undefined}>
      {workspace.machine}
      {host && host !== workspace.machine && workspace.state === "running" ? (
        <span className="text-muted"> on {host}</span>
      ) : null}
    </span>
  );
}

/** What the present run costs, where its machine has a price. */
function cost(workspace: Workspace): [string, ReactNode][] {
  const [price, sofar] = [micros(workspace.price_per_hour), micros(workspace.cost)];
  if (workspace.state !== "running" || price === null) return [];
  return [["Cost", `${sofar === null ? "" : `${money(sofar)}, `}${perHour(price)}`]];
}

function Delete({ workspace }: { workspace: Workspace }) {
  const [asking, setAsking] = useState(false);
  const client = useQueryClient();
  const navigate = useNavigate();
  return (
    <>
      <Button look="danger" icon="trash" onClick={() => setAsking(true)}>
        Delete
      </Button>
      {asking ? (
        <Confirm
          title={`Delete ${workspace.name}?`}
          verb="Delete workspace"
          danger
          run={() => api.deleteWorkspace(workspace.id)}
          onClose={() => setAsking(false)}
          onDone={async () => {
            await client.invalidateQueries({ queryKey: ["workspaces"] });
            await navigate(paths.workspaces(workspace.project));
            toast(`Deleted ${workspace.name}`);
          }}
        >
          <p>
            Its home is gone for good: every notebook and file in it
            {workspace.state === "running" ? ", and the server that now runs" : ""}.
          </p>
          <p className="text-muted">Jobs that ran from it stay, with their code, logs and outputs.</p>
        </Confirm>
      ) : null}
    </>
  );
}

export function Component() {
  const { id = "" } = useParams();
  const workspace = usePrefetched(workspaceQuery(id));
  const me = usePrefetched(meQuery);
  const project = usePrefetched(projectQuery(workspace.project));
  const mine = workspace.user_id === me.id;
  const mayManage = mine || me.admin || project.role === "owner";
  return (
    <Page
      title={
        <div className="flex min-w-0 items-center gap-3">
          <h1 className="min-w-0 truncate text-xl font-semibold">{workspace.name}</h1>
          <WorkspaceBadge state={workspace.state} />
        </div>
      }
      tab={workspace.name}
      actions={mayManage ? <WorkspaceActions workspace={workspace} mine={mine} /> : null}
    >
      {workspace.home ? <HomeNotices home={workspace.home} /> : null}
      <Happening workspace={workspace} />
      <Card className="grid gap-4 p-4">
        <Facts
          facts={[
            ["Machine", <Where key="m" workspace={workspace} />],
            ["Environment", workspace.environment],
            ["Of", mine ? `${workspace.user} (you)` : workspace.user],
            [
              "Running for",
              workspace.state === "running" ? <Lasting key="r" from={workspace.started_ms} /> : "not running",
            ],
            ...cost(workspace),
            [
              "Last used",
              workspace.last_activity_ms ? <Ago key="l" ms={workspace.last_activity_ms} /> : "never",
            ],
            ["Created", <Ago key="c" ms={workspace.created_ms} />],
          ]}
        />
        {workspace.home ? <HomeUse home={workspace.home} /> : null}
      </Card>
      <WorkspaceInputs workspace={workspace} mayEdit={mine} />
      {mine ? (
        <Section
          title="Run as a job"
          about="A snapshot of the project folder runs on its own and is kept, while you go on here."
        >
          <div>
            <ButtonLink icon="play" to={paths.newJob(workspace.project, { workspace: workspace.id })}>
              New job from this workspace
            </ButtonLink>
          </div>
        </Section>
      ) : null}
      <History workspace={workspace} />
      {workspace.state === "running" || workspace.state === "stopped" ? (
        <Section title="Server log">
          <ServerLog workspace={workspace} lines={40} />
        </Section>
      ) : null}
      {mayManage ? (
        <Section title="Delete" about="Deletes the workspace with all files in its home.">
          <div>
            <Delete workspace={workspace} />
          </div>
        </Section>
      ) : null}
    </Page>
  );
}
