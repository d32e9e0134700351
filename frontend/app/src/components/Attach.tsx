/** Attaches something to one of one's workspaces, and goes there. */
import * as api from "@cairn/api/operations";
import type { Workspace } from "@cairn/api/types";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { paths } from "~/paths";
import { myWorkspacesQuery, workspaceQuery } from "~/queries/projects";
import { Menu } from "~/ui/Menu";
import { ErrorNotice } from "~/ui/Notice";
import { toast } from "~/ui/Toasts";

interface Props {
  /** The folder that it gets. */
  name: string;
  /** What it is called in a project. */
  reference: (project: string) => string;
}

export function Attach({ name, reference }: Props) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const workspaces = useQuery(myWorkspacesQuery).data?.items ?? [];
  const attach = useMutation({
    mutationFn: ({ id, project }: Workspace) => api.attachInput(id, name, reference(project)),
    onSuccess: async (_, workspace) => {
      await client.invalidateQueries({ queryKey: workspaceQuery(workspace.id).queryKey });
      await navigate(paths.workspace(workspace.project, workspace.id));
      toast(`Attached to ${workspace.name} as inputs/${name}`);
    },
  });
  if (workspaces.length === 0) return null;
  // What runs sees it at once, so it comes first.
  const isRunning = (each: Workspace) => Number(each.state === "running");
  return (
    <div className="grid gap-2">
      <Menu
        label="Attach to a workspace"
        title="Attach to"
        button={{ icon: "input", busy: attach.isPending }}
        items={workspaces
          .toSorted((a, b) => isRunning(b) - isRunning(a))
          .map(each => ({
            label: each.name,
            hint: `${each.project}, ${each.state}`,
            onSelect: () => attach.mutate(each),
          }))}
      >
        Attach to a workspace
      </Menu>
      <ErrorNotice error={attach.error} />
    </div>
  );
}
