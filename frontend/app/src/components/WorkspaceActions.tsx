/** What one can do with a workspace now: Open, Start, Stop, Restart on another machine. Knows the API. */
import * as api from "@cairn/api/operations";
import type { Workspace } from "@cairn/api/types";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { paths } from "~/paths";
import { machinesQuery, workspaceQuery } from "~/queries/projects";
import { Button, ButtonAnchor } from "~/ui/Button";
import { Menu } from "~/ui/Menu";
import { ErrorNotice } from "~/ui/Notice";

export function useWorkspaceAction(workspace: Pick<Workspace, "id">) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ action, machine }: { action: api.WorkspaceAction; machine?: string }) =>
      api.actOnWorkspace(workspace.id, action, machine),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: workspaceQuery(workspace.id).queryKey });
      await client.invalidateQueries({ queryKey: ["workspaces"] });
    },
  });
}

interface Props {
  workspace: Workspace;
  mine: boolean;
  size?: "sm" | "md";
}

export function WorkspaceActions({ workspace, mine, size = "md" }: Props) {
  const action = useWorkspaceAction(workspace);
  const machines = useQuery(machinesQuery).data?.items ?? [];
  const { state } = workspace;
  const isUp = state === "running" || state === "starting";
  const restart = machines.map(machine => ({
    label: machine.name,
    ...(machine.name === workspace.machine ? { hint: "as now" } : {}),
    checked: machine.name === workspace.machine,
    onSelect: () => action.mutate({ action: isUp ? "restart" : "start", machine: machine.name }),
  }));
  return (
    <div className="grid gap-2">
      <div className="flex flex-wrap items-center gap-2">
        {mine && state === "running" ? (
          <ButtonAnchor
            look="primary"
            size={size}
            icon="external"
            href={paths.open(workspace.id)}
            target="_blank"
            rel="noopener"
          >
            Open
          </ButtonAnchor>
        ) : null}
        {state === "stopped" || state === "error" ? (
          <Button
            look={mine ? "primary" : "plain"}
            size={size}
            icon="play"
            busy={action.isPending}
            onClick={() => action.mutate({ action: "start" })}
          >
            Start
          </Button>
        ) : null}
        {isUp ? (
          <Button
            size={size}
            icon={state === "starting" ? "close" : "stop"}
            busy={action.isPending && action.variables?.action === "stop"}
            onClick={() => action.mutate({ action: "stop" })}
          >
            {state === "starting" ? "Cancel" : "Stop"}
          </Button>
        ) : null}
        {state === "stopping" ? (
          <Button size={size} busy>
            Stopping
          </Button>
        ) : null}
        {restart.length > 0 && state !== "stopping" ? (
          <Menu
            label={isUp ? `Restart ${workspace.name} on…` : `Start ${workspace.name} on…`}
            title={isUp ? "Restart on" : "Start on"}
            items={restart}
            button={{ look: "quiet", size, icon: isUp ? "restart" : "chip" }}
          />
        ) : null}
      </div>
      <ErrorNotice error={action.error} />
    </div>
  );
}
