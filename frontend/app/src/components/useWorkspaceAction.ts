/** Starts, stops and restarts a workspace. What was asked last is shared by all that show the workspace, whoever asked. */
import { ApiError } from "@cairn/api/errors";
import * as api from "@cairn/api/operations";
import type { Workspace } from "@cairn/api/types";
import { type QueryClient, useMutation, useMutationState, useQueryClient } from "@tanstack/react-query";
import { workspaceQuery } from "~/queries/projects";

export interface WorkspaceCall extends api.Where {
  action: api.WorkspaceAction;
}

const options = (id: string, client: QueryClient) => ({
  mutationKey: ["workspace-action", id],
  mutationFn: ({ action, ...where }: WorkspaceCall) => api.actOnWorkspace(id, action, where),
  onSuccess: async () => {
    await client.invalidateQueries({ queryKey: workspaceQuery(id).queryKey });
    await client.invalidateQueries({ queryKey: ["workspaces"] });
  },
});

/** The same from where no component of the workspace is: the failure then shows wherever the workspace does. */
export async function actOnWorkspace(id: string, call: WorkspaceCall, client: QueryClient): Promise<void> {
  await client
    .getMutationCache()
    .build(client, options(id, client))
    .execute(call)
    .catch(() => undefined);
}

export interface WorkspaceAction {
  run: (call: WorkspaceCall) => void;
  /** What is being asked now. */
  pending: WorkspaceCall | null;
  failed: { call: WorkspaceCall; error: unknown } | null;
  /** Takes the failure away. */
  forget: () => void;
}

export function useWorkspaceAction(workspace: Pick<Workspace, "id">): WorkspaceAction {
  const client = useQueryClient();
  const { mutationKey, ...rest } = options(workspace.id, client);
  const { mutate } = useMutation({ mutationKey, ...rest });
  const latest = useMutationState({
    filters: { mutationKey },
    select: ({ state: { status, error, variables } }) => ({ status, error, variables }),
  }).at(-1);
  const call = (latest?.variables as WorkspaceCall | undefined) ?? null;
  return {
    run: mutate,
    pending: latest?.status === "pending" ? call : null,
    failed: latest?.status === "error" && call ? { call, error: latest.error } : null,
    forget: () => {
      const cache = client.getMutationCache();
      for (const each of cache.findAll({ mutationKey, status: "error" })) cache.remove(each);
    },
  };
}

export interface UnreachableHome {
  machine: string | null;
  /** The last snapshot of the home; null where there is none. */
  snapshot: string | null;
  /** How old it is. */
  snapshotAgeMs: number | null;
}

/** What a refusal says of a home that is out of reach; null for every other failure. */
export function unreachableHome(error: unknown): UnreachableHome | null {
  if (!(error instanceof ApiError) || error.code !== "home_unreachable") return null;
  const age = error.details.snapshot_age_ms;
  const machine = error.details.machine_name;
  const snapshot = error.details.snapshot_id;
  return {
    machine: typeof machine === "string" ? machine : null,
    snapshot: typeof snapshot === "string" ? snapshot : null,
    snapshotAgeMs: typeof age === "number" ? age : null,
  };
}
