/** Which cached queries an event makes old. Knows the events and the query keys; not how events arrive. */
import type { Change, Job, List, Project, Workspace } from "@cairn/api/types";
import type { Query, QueryClient } from "@tanstack/react-query";
import { OF_DATASET } from "~/queries/datasets";
import { refreshJobs } from "~/queries/jobs";

/** Query families that an event of a kind touches as a whole. */
const FAMILIES: Record<string, string[]> = {
  "project.changed": ["projects", "project"],
  "member.changed": ["projects", "project", "members"],
  "user.changed": ["users", "me"],
  "session.revoked": ["sessions", "me"],
  "token.revoked": ["tokens"],
  "environment.changed": ["environments"],
  // Attaching an input and detaching it change a workspace.
  "workspace.changed": ["lineage"],
  "job.changed": ["lineage"],
  "dataset.changed": ["lineage"],
  "machine.changed": ["machine-types", "machines"],
};

/** Queries of one workspace, by its id. */
const OF_WORKSPACE = new Set(["workspace", "workspace-runs"]);

const holds = (query: Query, id: string): boolean =>
  (query.state.data as { id?: string } | undefined)?.id === id;

/** What begins or ends changes what is free. */
function freshenMachines(client: QueryClient): void {
  void client.invalidateQueries({ queryKey: ["machine-types"] });
  void client.invalidateQueries({ queryKey: ["machines"] });
}

function applyWorkspaces(changes: Change[], client: QueryClient): void {
  const ids = new Set(changes.map(change => change.subject));
  void client.invalidateQueries({ queryKey: ["workspaces"] });
  freshenMachines(client);
  void client.invalidateQueries({
    predicate: q => OF_WORKSPACE.has(String(q.queryKey[0])) && ids.has(String(q.queryKey[1])),
  });
}

function applyJobs(changes: Change[], client: QueryClient): void {
  const ids = new Set(changes.map(change => change.subject));
  void client.invalidateQueries({ queryKey: ["jobs"] });
  if (changes.some(change => change.kind === "job.changed")) {
    freshenMachines(client);
  }
  const touched: { project: string; number: number }[] = [];
  void client.invalidateQueries({
    predicate: q => {
      if (q.queryKey[0] !== "job" || ![...ids].some(id => holds(q, id))) return false;
      const job = q.state.data as Job;
      touched.push({ project: String(q.queryKey[1]), number: job.number });
      return true;
    },
  });
  for (const { project, number } of touched) {
    void client.invalidateQueries({ queryKey: ["series", project, number] });
    void client.invalidateQueries({ queryKey: ["files", project, number, "outputs"] });
  }
  const projects = client.getQueryData<List<Project>>(["projects"])?.items ?? [];
  for (const projectId of new Set(changes.map(change => change.project_id))) {
    const mine = new Set(
      changes.filter(change => change.project_id === projectId).map(change => change.subject),
    );
    const name = projects.find(project => project.id === projectId)?.name;
    for (const key of [name, projectId]) if (key) void refreshJobs(key, mine, client).catch(() => undefined);
  }
}

/** A dataset is asked for by project and name, an event tells its id: what the cache knows under the id is old. */
function applyDatasets(changes: Change[], client: QueryClient): void {
  const ids = new Set(changes.map(change => change.subject));
  const known = client.getQueryCache().findAll({ queryKey: ["dataset"] });
  const mine = known.filter(q => [...ids].some(id => holds(q, id)));
  const names = new Set(mine.map(q => JSON.stringify(q.queryKey.slice(1, 3))));
  void client.invalidateQueries({ queryKey: ["datasets"] });
  void client.invalidateQueries({
    predicate: q =>
      OF_DATASET.has(String(q.queryKey[0])) && names.has(JSON.stringify(q.queryKey.slice(1, 3))),
  });
}

/** Makes the cache catch up with a batch of events. */
export function applyChanges(changes: Change[], client: QueryClient): void {
  const workspaces = changes.filter(change => change.kind.startsWith("workspace."));
  const jobs = changes.filter(change => change.kind.startsWith("job."));
  if (workspaces.length > 0) applyWorkspaces(workspaces, client);
  if (jobs.length > 0) applyJobs(jobs, client);
  const datasets = changes.filter(change => change.kind === "dataset.changed");
  if (datasets.length > 0) applyDatasets(datasets, client);
  const families = new Set(changes.flatMap(change => FAMILIES[change.kind] ?? []));
  for (const family of families) void client.invalidateQueries({ queryKey: [family] });
}

/** Whether a list of workspaces has any that is on its way from one state to another. */
export const isMoving = (workspace: Workspace): boolean =>
  workspace.state === "starting" || workspace.state === "stopping";
