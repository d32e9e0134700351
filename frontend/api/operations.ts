/** One function for each operation that the app uses, named after it. Knows paths and types; caching is the app's. */
import { client, take, takeAs } from "./client.ts";
import type { components } from "./schema.ts";
import type {
  AliasMove,
  AuditEntry,
  Dataset,
  Environment,
  File,
  Job,
  Json,
  Lineage,
  List,
  Machine,
  MachineType,
  Member,
  Project,
  Role,
  Series,
  Session,
  Token,
  User,
  Version,
  VersionDetails,
  VersionDiff,
  Workspace,
  WorkspaceRun,
} from "./types.ts";

type Schemas = components["schemas"];
type Signal = AbortSignal | undefined;
const ALL = { limit: 1000 };
const abort = (signal: Signal) => (signal ? { signal } : {});

// Sign-in and one's own account
export const getInfo = (signal?: Signal) => take(client.GET("/info", abort(signal)));
export const createSession = (body: Schemas["NewSession"]) => take(client.POST("/session", { body }));
export const deleteSession = () => take(client.DELETE("/session"));
export const listSessions = (signal?: Signal) =>
  takeAs<List<Session>>(client.GET("/sessions", abort(signal)));
export const deleteSessions = () => take(client.DELETE("/sessions"));
export const getDevice = (user_code: string, signal?: Signal) =>
  take(client.GET("/devices/{user_code}", { params: { path: { user_code } }, ...abort(signal) }));
export const approveDevice = (user_code: string) =>
  take(client.POST("/devices/{user_code}/approve", { params: { path: { user_code } } }));
export const denyDevice = (user_code: string) =>
  take(client.POST("/devices/{user_code}/deny", { params: { path: { user_code } } }));
export const getMe = (signal?: Signal) => take(client.GET("/me", abort(signal)));
export const updateMe = (body: Schemas["UpdateMe"]) => take(client.PATCH("/me", { body }));
export const listTokens = (signal?: Signal) =>
  takeAs<List<Token>>(client.GET("/tokens", { params: { query: ALL }, ...abort(signal) }));
export const createToken = (body: Schemas["NewToken"]) => take(client.POST("/tokens", { body }));
export const deleteToken = (token: string) =>
  take(client.DELETE("/tokens/{token}", { params: { path: { token } } }));

// People
export const listUsers = (signal?: Signal) =>
  takeAs<List<User>>(client.GET("/users", { params: { query: ALL }, ...abort(signal) }));
export const createUser = (body: Schemas["NewUser"]) => take(client.POST("/users", { body }));
export const updateUser = (user: string, body: Schemas["UpdateUser"]) =>
  take(client.PATCH("/users/{user}", { params: { path: { user } }, body }));
export const createUserLink = (user: string) =>
  take(client.POST("/users/{user}/link", { params: { path: { user } } }));
/** A page of the audit record; 50 lines fill a screen. */
export const listAudit = (cursor: string | null, signal?: Signal) =>
  takeAs<List<AuditEntry>>(
    client.GET("/audit", {
      params: { query: { limit: 50, ...(cursor ? { cursor } : {}) } },
      ...abort(signal),
    }),
  );

// Projects
const inProject = (project: string) => ({ path: { project } });
export const listProjects = (signal?: Signal) =>
  takeAs<List<Project>>(client.GET("/projects", { params: { query: ALL }, ...abort(signal) }));
export const getProject = (project: string, signal?: Signal) =>
  take(client.GET("/projects/{project}", { params: inProject(project), ...abort(signal) }));
export const createProject = (body: Schemas["NewProject"]) => take(client.POST("/projects", { body }));
export const updateProject = (project: string, body: Schemas["UpdateProject"]) =>
  take(client.PATCH("/projects/{project}", { params: inProject(project), body }));
export const deleteProject = (project: string) =>
  take(client.DELETE("/projects/{project}", { params: inProject(project) }));
export const listMembers = (project: string, signal?: Signal) =>
  takeAs<List<Member>>(
    client.GET("/projects/{project}/members", { params: inProject(project), ...abort(signal) }),
  );
export const putMember = (project: string, user: string, role: Role) =>
  take(
    client.PUT("/projects/{project}/members/{user}", { params: { path: { project, user } }, body: { role } }),
  );
export const deleteMember = (project: string, user: string) =>
  take(client.DELETE("/projects/{project}/members/{user}", { params: { path: { project, user } } }));

// Workspaces
const ofWorkspace = (workspace: string) => ({ path: { workspace } });
export const listMyWorkspaces = (signal?: Signal) =>
  takeAs<List<Workspace>>(client.GET("/workspaces", { params: { query: ALL }, ...abort(signal) }));
export const listWorkspaces = (project: string, signal?: Signal) =>
  takeAs<List<Workspace>>(
    client.GET("/projects/{project}/workspaces", {
      params: { ...inProject(project), query: ALL },
      ...abort(signal),
    }),
  );
export const getWorkspace = (id: string, signal?: Signal) =>
  takeAs<Workspace>(client.GET("/workspaces/{workspace}", { params: ofWorkspace(id), ...abort(signal) }));
export const createWorkspace = (project: string, body: Schemas["NewWorkspace"]) =>
  take(client.POST("/projects/{project}/workspaces", { params: inProject(project), body }));
export const deleteWorkspace = (id: string) =>
  take(client.DELETE("/workspaces/{workspace}", { params: ofWorkspace(id) }));
export type WorkspaceAction = "start" | "stop" | "restart";
/** `accept_snapshot`: the machine that has the files is out of reach; go on from this snapshot of them. */
export interface Where {
  machine?: string;
  accept_snapshot?: string;
}
export const actOnWorkspace = (id: string, action: WorkspaceAction, body: Where = {}) => {
  const params = ofWorkspace(id);
  if (action === "stop") return take(client.POST("/workspaces/{workspace}/stop", { params }));
  if (action === "start") return take(client.POST("/workspaces/{workspace}/start", { params, body }));
  return take(client.POST("/workspaces/{workspace}/restart", { params, body }));
};
export const openWorkspace = (id: string, next?: string) =>
  take(client.POST("/workspaces/{workspace}/open", { params: ofWorkspace(id), body: next ? { next } : {} }));
/** `allowDamaged`: also where files of it are damaged, without these. */
export const attachInput = (workspace: string, name: string, ref: string, allowDamaged = false) =>
  take(
    client.PUT("/workspaces/{workspace}/inputs/{name}", {
      params: { path: { workspace, name } },
      body: allowDamaged ? { ref, allow_damaged: true } : { ref },
    }),
  );
export const detachInput = (workspace: string, name: string) =>
  take(client.DELETE("/workspaces/{workspace}/inputs/{name}", { params: { path: { workspace, name } } }));
export const listWorkspaceRuns = (id: string, signal?: Signal) =>
  takeAs<List<WorkspaceRun>>(
    client.GET("/workspaces/{workspace}/runs", { params: ofWorkspace(id), ...abort(signal) }),
  );
export const getWorkspaceLog = (id: string, offset: number, signal?: Signal) =>
  take(
    client.GET("/workspaces/{workspace}/log", {
      params: { ...ofWorkspace(id), query: { offset } },
      ...abort(signal),
    }),
  );

// Jobs
export type NewJob = Schemas["NewJob"];
const ofJob = (project: string, number: number) => ({ path: { project, number } });
export const listLatestJobs = (signal?: Signal) =>
  takeAs<List<Job>>(client.GET("/jobs", { params: { query: { limit: 12 } }, ...abort(signal) }));
export const listJobs = (project: string, query: { limit: number; cursor?: string }, signal?: Signal) =>
  takeAs<List<Job>>(
    client.GET("/projects/{project}/jobs", { params: { ...inProject(project), query }, ...abort(signal) }),
  );
export const getJob = (project: string, number: number, signal?: Signal) =>
  takeAs<Job>(
    client.GET("/projects/{project}/jobs/{number}", { params: ofJob(project, number), ...abort(signal) }),
  );
export const createJob = (project: string, body: NewJob) =>
  takeAs<Job>(client.POST("/projects/{project}/jobs", { params: inProject(project), body }));
export const stopJob = (project: string, number: number) =>
  takeAs<Job>(client.POST("/projects/{project}/jobs/{number}/stop", { params: ofJob(project, number) }));
/** Lets a job that is held go on, with a corrected notebook or with the cell as it was. */
export const resumeJob = (project: string, number: number, notebook?: Record<string, unknown>) =>
  takeAs<Job>(
    client.POST("/projects/{project}/jobs/{number}/resume", {
      params: ofJob(project, number),
      // A notebook is any JSON object, which the description cannot say in a type.
      body: notebook ? { notebook: notebook as Record<string, never> } : {},
    }),
  );
export const rerunJob = (
  project: string,
  number: number,
  parameters: Record<string, Json>,
  allowDamaged = false,
) =>
  takeAs<Job>(
    client.POST("/projects/{project}/jobs/{number}/rerun", {
      params: ofJob(project, number),
      body: allowDamaged ? { parameters, allow_damaged: true } : { parameters },
    }),
  );
export const getJobLog = (
  project: string,
  number: number,
  query: { offset: number; limit?: number },
  signal?: Signal,
) =>
  take(
    client.GET("/projects/{project}/jobs/{number}/log", {
      params: { ...ofJob(project, number), query },
      ...abort(signal),
    }),
  );
export interface SeriesQuery {
  key: string;
  points: number;
  /** Only from here to there on an axis: steps, or milliseconds since 1970. */
  from?: number;
  to?: number;
  axis?: "step" | "time";
}
export const getSeries = (project: string, number: number, query: SeriesQuery, signal?: Signal) =>
  takeAs<List<Series>>(
    client.GET("/projects/{project}/jobs/{number}/series", {
      params: { ...ofJob(project, number), query },
      ...abort(signal),
    }),
  );
export type Tree = "files" | "outputs";
export interface FilesQuery {
  path: string;
  cursor?: string;
}
export const listFiles = (
  project: string,
  number: number,
  tree: Tree,
  query: FilesQuery,
  signal?: Signal,
) => {
  const params = { ...ofJob(project, number), query: { ...ALL, ...query } };
  return tree === "files"
    ? takeAs<List<File>>(client.GET("/projects/{project}/jobs/{number}/files", { params, ...abort(signal) }))
    : takeAs<List<File>>(
        client.GET("/projects/{project}/jobs/{number}/outputs", { params, ...abort(signal) }),
      );
};

// Lineage
/** Of a version or a job: `NAME:VERSION` or `[PROJECT]#NUMBER`, so many steps back and forth. */
export const getLineage = (project: string, ref: string, depth: number, signal?: Signal) =>
  takeAs<Lineage>(
    client.GET("/projects/{project}/lineage", {
      params: { ...inProject(project), query: { ref, depth } },
      ...abort(signal),
    }),
  );

/** The same in a form for other programs. */
export const lineageUrl = (project: string, ref: string, depth: number, format: "openlineage" | "prov") => {
  const query = new URLSearchParams({ ref, depth: String(depth), format });
  return `/api/v1/projects/${encodeURIComponent(project)}/lineage?${query}`;
};

// Datasets
export type NewDataset = Schemas["NewDataset"];
export type UpdateDataset = Schemas["UpdateDataset"];
const ofDataset = (project: string, dataset: string) => ({ path: { project, dataset } });
const ofVersion = (project: string, dataset: string, version: string | number) => ({
  path: { project, dataset, version: String(version) },
});
export const listDatasets = (project: string, signal?: Signal) =>
  takeAs<List<Dataset>>(
    client.GET("/projects/{project}/datasets", {
      params: { ...inProject(project), query: ALL },
      ...abort(signal),
    }),
  );
export const createDataset = (project: string, body: NewDataset) =>
  takeAs<Dataset>(client.POST("/projects/{project}/datasets", { params: inProject(project), body }));
export const getDataset = (project: string, dataset: string, signal?: Signal) =>
  takeAs<Dataset>(
    client.GET("/projects/{project}/datasets/{dataset}", {
      params: ofDataset(project, dataset),
      ...abort(signal),
    }),
  );
export const updateDataset = (project: string, dataset: string, body: UpdateDataset) =>
  takeAs<Dataset>(
    client.PATCH("/projects/{project}/datasets/{dataset}", { params: ofDataset(project, dataset), body }),
  );
export const deleteDataset = (project: string, dataset: string) =>
  take(client.DELETE("/projects/{project}/datasets/{dataset}", { params: ofDataset(project, dataset) }));
export const listVersions = (project: string, dataset: string, cursor: string | null, signal?: Signal) =>
  takeAs<List<Version>>(
    client.GET("/projects/{project}/datasets/{dataset}/versions", {
      params: { ...ofDataset(project, dataset), query: { limit: 100, ...(cursor ? { cursor } : {}) } },
      ...abort(signal),
    }),
  );
export const createVersion = (project: string, dataset: string, body: Schemas["NewVersion"]) =>
  takeAs<Version>(
    client.POST("/projects/{project}/datasets/{dataset}/versions", {
      params: ofDataset(project, dataset),
      body,
    }),
  );
export const getVersion = (project: string, dataset: string, version: string, signal?: Signal) =>
  takeAs<VersionDetails>(
    client.GET("/projects/{project}/datasets/{dataset}/versions/{version}", {
      params: ofVersion(project, dataset, version),
      ...abort(signal),
    }),
  );
export const retractVersion = (project: string, dataset: string, version: number) =>
  take(
    client.DELETE("/projects/{project}/datasets/{dataset}/versions/{version}", {
      params: { path: { project, dataset, version } },
    }),
  );
export const listVersionFiles = (
  project: string,
  dataset: string,
  version: number,
  query: FilesQuery,
  signal?: Signal,
) =>
  takeAs<List<File>>(
    client.GET("/projects/{project}/datasets/{dataset}/versions/{version}/files", {
      params: { ...ofVersion(project, dataset, version), query: { ...ALL, ...query } },
      ...abort(signal),
    }),
  );
export const diffVersions = (
  project: string,
  dataset: string,
  version: number,
  from: string | null,
  signal?: Signal,
) =>
  takeAs<VersionDiff>(
    client.GET("/projects/{project}/datasets/{dataset}/versions/{version}/diff", {
      params: { ...ofVersion(project, dataset, version), query: from ? { from } : {} },
      ...abort(signal),
    }),
  );
export const listAliasMoves = (project: string, dataset: string, cursor: string | null, signal?: Signal) =>
  takeAs<List<AliasMove>>(
    client.GET("/projects/{project}/datasets/{dataset}/aliases", {
      params: { ...ofDataset(project, dataset), query: { limit: 50, ...(cursor ? { cursor } : {}) } },
      ...abort(signal),
    }),
  );
/** `from`: only where the alias names this version now; 0 for a new one. */
export const putAlias = (
  project: string,
  dataset: string,
  alias: string,
  body: { number: number; from: number },
) =>
  take(
    client.PUT("/projects/{project}/datasets/{dataset}/aliases/{alias}", {
      params: { path: { project, dataset, alias } },
      body,
    }),
  );
export const deleteAlias = (project: string, dataset: string, alias: string) =>
  take(
    client.DELETE("/projects/{project}/datasets/{dataset}/aliases/{alias}", {
      params: { path: { project, dataset, alias } },
    }),
  );

// Uploads. The contents go by `apiPath`: they are no JSON.
export const createUpload = (project: string) =>
  take(client.POST("/projects/{project}/uploads", { params: inProject(project), body: { kind: "outputs" } }));
export const declareEntries = (upload: string, body: Schemas["NewEntry"][], signal?: Signal) =>
  take(client.POST("/uploads/{upload}/entries", { params: { path: { upload } }, body, ...abort(signal) }));
export const deleteUpload = (upload: string) =>
  take(client.DELETE("/uploads/{upload}", { params: { path: { upload } } }));

// Software and hardware
export const listEnvironments = (signal?: Signal) =>
  takeAs<List<Environment>>(client.GET("/environments", abort(signal)));
export const buildEnvironment = (environment: string) =>
  take(client.POST("/environments/{environment}/build", { params: { path: { environment } } }));
export const getEnvironmentLog = (environment: string, offset: number, signal?: Signal) =>
  take(
    client.GET("/environments/{environment}/log", {
      params: { path: { environment }, query: { offset } },
      ...abort(signal),
    }),
  );
export const listMachineTypes = (signal?: Signal) =>
  takeAs<List<MachineType>>(client.GET("/machine-types", abort(signal)));
export const listMachines = (signal?: Signal) =>
  takeAs<List<Machine>>(client.GET("/machines", abort(signal)));
export const createMachine = (body: Schemas["NewMachine"]) => take(client.POST("/machines", { body }));
const ofMachine = (machine: string) => ({ params: { path: { machine } } });
export const createMachineToken = (machine: string) =>
  take(client.POST("/machines/{machine}/token", ofMachine(machine)));
/** Without labels, those that it has stay. */
export const updateMachine = (machine: string, draining: boolean, labels: string[] | null = null) =>
  take(client.PATCH("/machines/{machine}", { ...ofMachine(machine), body: { draining, labels } }));
export const deleteMachine = (machine: string) =>
  take(client.DELETE("/machines/{machine}", ofMachine(machine)));
