/** Queries of projects, their members and their workspaces, and of what work can run on. */
import * as api from "@cairn/api/operations";
import { queryOptions } from "@tanstack/react-query";

export const projectsQuery = queryOptions({
  queryKey: ["projects"],
  queryFn: ({ signal }) => api.listProjects(signal),
});
export const projectQuery = (project: string) =>
  queryOptions({ queryKey: ["project", project], queryFn: ({ signal }) => api.getProject(project, signal) });
export const membersQuery = (project: string) =>
  queryOptions({ queryKey: ["members", project], queryFn: ({ signal }) => api.listMembers(project, signal) });

export const myWorkspacesQuery = queryOptions({
  queryKey: ["workspaces"],
  queryFn: ({ signal }) => api.listMyWorkspaces(signal),
});
export const workspacesQuery = (project: string) =>
  queryOptions({
    queryKey: ["workspaces", project],
    queryFn: ({ signal }) => api.listWorkspaces(project, signal),
  });
export const workspaceQuery = (id: string) =>
  queryOptions({ queryKey: ["workspace", id], queryFn: ({ signal }) => api.getWorkspace(id, signal) });

export const workspaceRunsQuery = (id: string) =>
  queryOptions({
    queryKey: ["workspace-runs", id],
    queryFn: ({ signal }) => api.listWorkspaceRuns(id, signal),
  });

export const environmentsQuery = queryOptions({
  queryKey: ["environments"],
  queryFn: ({ signal }) => api.listEnvironments(signal),
});
export const machineTypesQuery = queryOptions({
  queryKey: ["machine-types"],
  queryFn: ({ signal }) => api.listMachineTypes(signal),
});
export const machinesQuery = queryOptions({
  queryKey: ["machines"],
  queryFn: ({ signal }) => api.listMachines(signal),
});
