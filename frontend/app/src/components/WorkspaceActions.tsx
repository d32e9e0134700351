/** What one can do with a workspace now: Open, Start, Stop, Restart on another machine. */
import type { Workspace } from "@cairn/api/types";
import { paths } from "~/paths";
import { Button, ButtonAnchor } from "~/ui/Button";
import { ActionFailure } from "./ActionFailure";
import { isOnItsWay, isUp, RestartOn } from "./RestartOn";
import { useWorkspaceAction } from "./useWorkspaceAction";

interface Props {
  workspace: Workspace;
  mine: boolean;
  size?: "sm" | "md";
}

export function WorkspaceActions({ workspace, mine, size = "md" }: Props) {
  const action = useWorkspaceAction(workspace);
  const { state } = workspace;
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
            busy={action.pending !== null && !action.pending.machine}
            onClick={() => action.run({ action: "start" })}
          >
            Start
          </Button>
        ) : null}
        {isUp(workspace) ? (
          <Button
            size={size}
            icon={isOnItsWay(workspace) ? "close" : "stop"}
            busy={action.pending?.action === "stop"}
            onClick={() => action.run({ action: "stop" })}
          >
            {isOnItsWay(workspace) ? "Cancel" : "Stop"}
          </Button>
        ) : null}
        {state === "stopping" && !isOnItsWay(workspace) ? (
          <Button size={size} busy>
            Stopping
          </Button>
        ) : (
          <RestartOn workspace={workspace} action={action} size={size} />
        )}
      </div>
      <ActionFailure workspace={workspace} action={action} />
    </div>
  );
}
