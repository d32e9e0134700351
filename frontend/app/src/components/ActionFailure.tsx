/** Why an action on a workspace was refused. A home that is out of reach is a question: go on without what is newest, or wait? */
import type { Workspace } from "@cairn/api/types";
import { roughly } from "~/lib/format";
import { Button } from "~/ui/Button";
import { Dialog } from "~/ui/Dialog";
import { ErrorNotice, Notice } from "~/ui/Notice";
import { type UnreachableHome, unreachableHome, type WorkspaceAction } from "./useWorkspaceAction";

export function ActionFailure({ workspace, action }: { workspace: Workspace; action: WorkspaceAction }) {
  if (!action.failed) return null;
  const { call, error } = action.failed;
  const home = unreachableHome(error);
  if (!home) return <ErrorNotice error={error} />;
  return (
    <Unreachable
      workspace={workspace}
      home={home}
      busy={action.pending !== null}
      onContinue={() => action.run({ ...call, accept_snapshot: home.snapshot ?? "" })}
      onClose={action.forget}
    />
  );
}

/** Says how old the snapshot is and what may be lost, and asks. */
function Unreachable({
  workspace,
  home,
  busy,
  onContinue,
  onClose,
}: {
  workspace: Workspace;
  home: UnreachableHome;
  busy: boolean;
  onContinue: () => void;
  onClose: () => void;
}) {
  const machine = home.machine ?? "its machine";
  const age = home.snapshotAgeMs === null || !home.snapshot ? null : roughly(home.snapshotAgeMs);
  return (
    <Dialog
      title={`${machine} cannot be reached`}
      onClose={onClose}
      footer={
        <>
          <Button look={age ? "plain" : "primary"} onClick={onClose}>
            Wait for {machine}
          </Button>
          {age ? (
            <Button look="danger" busy={busy} onClick={onContinue}>
              Go on from {age} ago
            </Button>
          ) : null}
        </>
      }
    >
      <div className="grid gap-3">
        <p>
          The files of {workspace.name} are on {machine}.{" "}
          {age
            ? `The last snapshot of them was made ${age} ago, and ${workspace.name} can start elsewhere from it.`
            : "No snapshot of them was made yet, so there is nothing to start from elsewhere."}
        </p>
        {age ? (
          <Notice tone="warn" title={`What changed in the last ${age} will not be there`}>
            <p>
              Files written and notebooks saved since then stay on {machine}. When it comes back, its copy is
              kept in the home as a folder <code>conflict-…</code>, and nothing is overwritten.
            </p>
          </Notice>
        ) : (
          <p className="text-muted">
            When {machine} is back, start {workspace.name} again: its files are there.
          </p>
        )}
      </div>
    </Dialog>
  );
}
