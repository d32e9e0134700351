/** Goes into a workspace: at once when its server runs, else by starting it and waiting here. With `choose`, asks where it is to run. */
import { ApiError } from "@cairn/api/errors";
import * as api from "@cairn/api/operations";
import type { Workspace } from "@cairn/api/types";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { type LoaderFunctionArgs, useNavigate, useParams, useSearchParams } from "react-router";
import { ActionFailure } from "~/components/ActionFailure";
import { MachineChoice } from "~/components/MachineTypes";
import { Plain } from "~/components/Plain";
import { isOnItsWay, isUp } from "~/components/RestartOn";
import { ServerLog } from "~/components/ServerLog";
import { StartProgress } from "~/components/StartProgress";
import { useWorkspaceAction, type WorkspaceAction } from "~/components/useWorkspaceAction";
import { prefetch, usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { useLive } from "~/live/useLive";
import { paths } from "~/paths";
import { machineTypesQuery, workspaceQuery } from "~/queries/projects";
import { Button, ButtonLink } from "~/ui/Button";
import { Icon } from "~/ui/Icon";
import { ErrorNotice } from "~/ui/Notice";

export async function loader({ request, params }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  void prefetch(machineTypesQuery).catch(() => undefined);
  await prefetch(workspaceQuery(params.id ?? ""));
  return null;
}

/** Asks for a one-use address of the workspace's own origin and goes there. */
function Entering({ workspace, next }: { workspace: Workspace; next: string | null }) {
  const open = useQuery({
    queryKey: ["open", workspace.id, next, workspace.started_ms],
    queryFn: async () => {
      const { url } = await api.openWorkspace(workspace.id, next ?? undefined);
      window.location.replace(url);
      return url;
    },
    gcTime: 0,
    retry: (count, error) => error instanceof ApiError && error.status === 503 && count < 5,
  });
  if (open.error) {
    return (
      <ErrorNotice
        error={open.error}
        title="The workspace could not be opened"
        action={
          <Button size="sm" onClick={() => void open.refetch()}>
            Try again
          </Button>
        }
      />
    );
  }
  return (
    <p role="status" className="flex items-center gap-2.5">
      <Icon name="ring" turning className="text-accent" />
      Opening…
    </p>
  );
}

/** Where it is to run: every machine type with what is free of it, and one button. */
function Choose({ workspace, action }: { workspace: Workspace; action: WorkspaceAction }) {
  const types = useQuery(machineTypesQuery);
  const [chosen, setChosen] = useState(workspace.machine);
  const verb = isUp(workspace) ? "Restart" : "Start";
  const run = () => action.run({ action: isUp(workspace) ? "restart" : "start", machine: chosen });
  return (
    <div className="grid gap-4">
      <MachineChoice
        label={`${verb} on`}
        types={types.data?.items ?? []}
        value={chosen}
        onChange={setChosen}
      />
      <ErrorNotice error={types.error} />
      <ActionFailure workspace={workspace} action={action} />
      <Button
        look="primary"
        icon={isUp(workspace) ? "restart" : "play"}
        busy={action.pending !== null || workspace.state === "stopping"}
        onClick={run}
      >
        {workspace.state === "stopping" ? "Stopping" : `${verb} on ${chosen}`}
      </Button>
    </div>
  );
}

/** What there is to know before one chooses. */
function About({ workspace }: { workspace: Workspace }) {
  if (workspace.state === "running") {
    return (
      <div className="grid gap-4">
        <p>
          It runs on {workspace.machine_name ?? workspace.machine}. Restarted elsewhere it has the same files
          at the same address; a JupyterLab tab that is open comes back by itself.
        </p>
        <ButtonLink icon="external" to={paths.open(workspace.id)}>
          Open JupyterLab
        </ButtonLink>
      </div>
    );
  }
  if (workspace.state !== "error") return <p>Its server is not running. Your files are as you left them.</p>;
  return (
    <div className="grid gap-4">
      <ErrorNotice
        error={new Error(workspace.message ?? "The server ended without saying why.")}
        title="The server did not keep running"
      />
      <ServerLog workspace={workspace} />
    </div>
  );
}

export function Component() {
  const { id = "" } = useParams();
  const [search] = useSearchParams();
  const workspace = usePrefetched(workspaceQuery(id));
  const client = useQueryClient();
  const navigate = useNavigate();
  const action = useWorkspaceAction(workspace);
  const onRefused = useCallback(() => {
    client.clear();
    void navigate(paths.signIn(location.pathname + location.search));
  }, [client, navigate]);
  useLive(client, onRefused);
  const enters = workspace.state === "running" && !search.has("choose");
  return (
    <Plain title={workspace.name} about={`${workspace.project} · ${workspace.machine}`} wide>
      {enters ? <Entering workspace={workspace} next={search.get("next")} /> : null}
      {isOnItsWay(workspace) ? (
        <StartProgress workspace={workspace}>
          <Button
            size="sm"
            icon="close"
            busy={action.pending !== null}
            onClick={() => action.run({ action: "stop" })}
          >
            Cancel
          </Button>
        </StartProgress>
      ) : null}
      {enters || isOnItsWay(workspace) ? null : (
        <>
          <About workspace={workspace} />
          <Choose workspace={workspace} action={action} />
        </>
      )}
      <ButtonLink look="quiet" to={paths.workspace(workspace.project, workspace.id)}>
        About this workspace
      </ButtonLink>
    </Plain>
  );
}
