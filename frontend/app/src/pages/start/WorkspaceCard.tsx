/** One of your workspaces on the start page: what it does now, and what one can do with it. */
import type { Workspace } from "@cairn/api/types";
import { Link } from "react-router";
import { isOnItsWay } from "~/components/RestartOn";
import { WorkspaceActions } from "~/components/WorkspaceActions";
import { nowText } from "~/lib/progress";
import { paths } from "~/paths";
import { Card } from "~/ui/Page";
import { WorkspaceBadge } from "~/ui/State";
import { Lasting } from "~/ui/Time";

/** What a workspace on its way is doing now, in one line. */
function Phase({ workspace }: { workspace: Workspace }) {
  if (!isOnItsWay(workspace)) return null;
  const text = nowText(workspace);
  return text ? <p className="truncate text-sm text-busy">{text}</p> : null;
}

export function WorkspaceCard({ workspace }: { workspace: Workspace }) {
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
        <Phase workspace={workspace} />
        {workspace.state === "error" && workspace.message ? (
          <p className="line-clamp-2 text-sm text-bad">{workspace.message}</p>
        ) : null}
      </div>
      <WorkspaceActions workspace={workspace} mine size="sm" />
    </Card>
  );
}
