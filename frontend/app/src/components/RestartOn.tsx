/** "Restart on …": the machine types with what is free of each, one click away. */
import type { MachineType, Workspace } from "@cairn/api/types";
import { useQuery } from "@tanstack/react-query";
import { availability } from "~/lib/machine";
import { machineTypesQuery } from "~/queries/projects";
import { Icon } from "~/ui/Icon";
import { Menu, type MenuItem } from "~/ui/Menu";
import { About, Availability } from "./MachineTypes";
import type { WorkspaceAction } from "./useWorkspaceAction";

/** It runs, or is on its way there: also while it stops on one machine to start on another. */
export const isUp = (workspace: Workspace): boolean => workspace.state === "running" || isOnItsWay(workspace);

export const isOnItsWay = (workspace: Workspace): boolean =>
  workspace.state === "starting" || Boolean(workspace.progress);

function item(type: MachineType, workspace: Workspace, onSelect: () => void): MenuItem {
  const { possible } = availability(type);
  return {
    label: type.name,
    ...(type.name === workspace.machine ? { note: "now" } : {}),
    hint: (
      <>
        <About type={type} />
        {possible ? null : <Availability type={type} />}
      </>
    ),
    ...(possible ? { aside: <Availability type={type} /> } : {}),
    disabled: !possible,
    onSelect,
  };
}

export function RestartOn({
  workspace,
  action,
  size,
}: {
  workspace: Workspace;
  action: WorkspaceAction;
  size: "sm" | "md";
}) {
  const types = useQuery(machineTypesQuery).data?.items ?? [];
  if (types.length === 0) return null;
  const verb = isUp(workspace) ? "restart" : "start";
  const title = isUp(workspace) ? "Restart on" : "Start on";
  const items = types.map(type =>
    item(type, workspace, () => action.run({ action: verb, machine: type.name })),
  );
  return (
    <Menu
      label={`${title}… ${workspace.name}`}
      title={`${title}: files and address stay`}
      items={items}
      side="left"
      button={{ size, busy: Boolean(action.pending?.machine) }}
    >
      {title}
      <Icon name="down" className="size-3 text-faint" />
    </Menu>
  );
}
