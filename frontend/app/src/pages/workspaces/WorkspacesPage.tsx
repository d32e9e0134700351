/** The workspaces of a project. */
import type { Workspace } from "@cairn/api/types";
import { Link, type LoaderFunctionArgs, useParams } from "react-router";
import { WorkspaceActions } from "~/components/WorkspaceActions";
import { useSearch } from "~/hooks/useSearch";
import { prefetch, usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { paths } from "~/paths";
import { meQuery } from "~/queries/account";
import { environmentsQuery, machineTypesQuery, projectQuery, workspacesQuery } from "~/queries/projects";
import { Button } from "~/ui/Button";
import { Empty } from "~/ui/Empty";
import { Card, Page } from "~/ui/Page";
import { WorkspaceBadge } from "~/ui/State";
import { Ago, Lasting } from "~/ui/Time";
import { CreateWorkspace } from "./CreateWorkspace";

export async function loader({ request, params }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  const project = params.project ?? "";
  void prefetch(environmentsQuery).catch(() => undefined);
  void prefetch(machineTypesQuery).catch(() => undefined);
  await Promise.all([prefetch(workspacesQuery(project)), prefetch(projectQuery(project))]);
  return null;
}

function Row({ workspace, mine }: { workspace: Workspace; mine: boolean }) {
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2.5 px-4 py-3">
      <div className="min-w-0 flex-1 basis-60">
        <p className="flex items-center gap-2.5">
          <Link
            to={paths.workspace(workspace.project, workspace.id)}
            className="truncate rounded text-lg font-medium hover:underline"
          >
            {workspace.name}
          </Link>
          <WorkspaceBadge state={workspace.state} />
        </p>
        <p className="text-sm text-muted">
          {mine ? "yours" : `of ${workspace.user}`} · {workspace.environment} · {workspace.machine}
          {workspace.inputs.length > 0
            ? ` · reads ${workspace.inputs.map(input => input.ref).join(", ")}`
            : ""}
        </p>
        {workspace.state === "error" && workspace.message ? (
          <p className="text-sm text-bad">{workspace.message}</p>
        ) : null}
      </div>
      <p className="text-sm text-muted max-sm:w-full sm:text-right">
        {workspace.state === "running" && workspace.started_ms ? (
          <>
            up <Lasting from={workspace.started_ms} />
          </>
        ) : (
          <>
            used <Ago ms={workspace.last_activity_ms ?? workspace.created_ms} />
          </>
        )}
      </p>
      <WorkspaceActions workspace={workspace} mine={mine} size="sm" />
    </li>
  );
}

export function Component() {
  const { project = "" } = useParams();
  const [search, setSearch] = useSearch();
  const workspaces = usePrefetched(workspacesQuery(project)).items;
  const { role } = usePrefetched(projectQuery(project));
  const me = usePrefetched(meQuery);
  const mayCreate = role !== "viewer";
  const create = (
    <Button look="primary" icon="plus" onClick={() => setSearch({ new: "1" })}>
      New workspace
    </Button>
  );
  return (
    <Page
      title="Workspaces"
      tab={`Workspaces · ${project}`}
      actions={mayCreate && workspaces.length > 0 ? create : null}
    >
      {workspaces.length > 0 ? (
        <Card>
          <ul className="divide-y divide-line">
            {workspaces.map(workspace => (
              <Row key={workspace.id} workspace={workspace} mine={workspace.user_id === me.id} />
            ))}
          </ul>
        </Card>
      ) : (
        <Empty
          icon="workspace"
          title="No workspace in this project yet"
          action={mayCreate ? create : null}
          {...(mayCreate ? { command: `cairn ws create lab --project ${project}` } : {})}
        >
          {mayCreate
            ? "A workspace is a home of your own that lasts, with JupyterLab in it. What you run from it as a job leaves a trail here."
            : "You can look at this project; ask an owner to become an editor to make workspaces of your own."}
        </Empty>
      )}
      {search.get("new") ? (
        <CreateWorkspace project={project} onClose={() => setSearch({ new: null })} />
      ) : null}
    </Page>
  );
}
