/** Goes into a workspace: at once when its server runs, else by starting it and waiting here. */
import { ApiError } from "@cairn/api/errors";
import * as api from "@cairn/api/operations";
import type { Workspace } from "@cairn/api/types";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { type LoaderFunctionArgs, useNavigate, useParams, useSearchParams } from "react-router";
import { ActionFailure } from "~/components/ActionFailure";
import { Plain } from "~/components/Plain";
import { ServerLog, StartProgress } from "~/components/StartProgress";
import { useWorkspaceAction } from "~/components/useWorkspaceAction";
import { prefetch, usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { useLive } from "~/live/useLive";
import { paths } from "~/paths";
import { workspaceQuery } from "~/queries/projects";
import { Button, ButtonLink } from "~/ui/Button";
import { Icon } from "~/ui/Icon";
import { ErrorNotice } from "~/ui/Notice";

export async function loader({ request, params }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
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

function Start({ workspace }: { workspace: Workspace }) {
  const action = useWorkspaceAction(workspace);
  const failed = workspace.state === "error";
  return (
    <div className="grid gap-4">
      {failed ? (
        <ErrorNotice
          error={new Error(workspace.message ?? "The server ended without saying why.")}
          title="The server did not keep running"
        />
      ) : (
        <p>Its server is not running. Your files are as you left them.</p>
      )}
      {failed ? <ServerLog workspace={workspace} /> : null}
      <ActionFailure workspace={workspace} action={action} />
      <Button
        look="primary"
        icon="play"
        busy={action.pending !== null || workspace.state === "stopping"}
        onClick={() => action.run({ action: "start" })}
      >
        {workspace.state === "stopping" ? "Stopping" : "Start"}
      </Button>
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
  return (
    <Plain title={workspace.name} about={`${workspace.project} · ${workspace.machine}`}>
      {workspace.state === "running" ? <Entering workspace={workspace} next={search.get("next")} /> : null}
      {workspace.state === "starting" ? (
        <>
          <StartProgress workspace={workspace} />
          <Button busy={action.pending !== null} onClick={() => action.run({ action: "stop" })}>
            Cancel
          </Button>
        </>
      ) : null}
      {workspace.state === "stopped" || workspace.state === "error" || workspace.state === "stopping" ? (
        <Start workspace={workspace} />
      ) : null}
      <ButtonLink look="quiet" to={paths.workspace(workspace.project, workspace.id)}>
        About this workspace
      </ButtonLink>
    </Plain>
  );
}
