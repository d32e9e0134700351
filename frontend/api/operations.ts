/** One function for each operation of the API. Knows its path and types; caching is the app's. */
import { apiPath, call, type Query } from "./client.ts";
import type {
  BuildLog,
  Device,
  Environment,
  File,
  Info,
  Job,
  Json,
  List,
  LogPage,
  Machine,
  Member,
  NewToken,
  Project,
  Role,
  Series,
  Session,
  Token,
  User,
  Workspace,
} from "./types.ts";

type Page = { limit?: number; cursor?: string | null };
type Signal = AbortSignal | undefined;

function get<T>(path: string, signal?: Signal, query?: Query): Promise<T> {
  return call<T>("GET", path, { ...(signal ? { signal } : {}), ...(query ? { query } : {}) });
}

// Sign-in and one's own account
export const getInfo = (signal?: Signal) => get<Info>(apiPath("info"), signal);
export const createSession = (body: { link: string } | { name: string; password: string }) =>
  call<{ user: User }>("POST", apiPath("session"), { body });
export const deleteSession = () => call<void>("DELETE", apiPath("session"));
export const listSessions = (signal?: Signal) => get<List<Session>>(apiPath("sessions"), signal);
export const deleteSessions = () => call<void>("DELETE", apiPath("sessions"));
export const getDevice = (code: string, signal?: Signal) => get<Device>(apiPath("devices", code), signal);
export const approveDevice = (code: string) => call<void>("POST", apiPath("devices", code, "approve"));
export const denyDevice = (code: string) => call<void>("POST", apiPath("devices", code, "deny"));
export const getMe = (signal?: Signal) => get<User>(apiPath("me"), signal);
export interface MeChange {
  display_name?: string;
  password?: { current?: string; new: string };
}
export const updateMe = (body: MeChange) => call<User>("PATCH", apiPath("me"), { body });
export const listTokens = (signal?: Signal) => get<List<Token>>(apiPath("tokens"), signal);
export const createToken = (body: { name: string; expires_ms?: number; scopes?: string[] }) =>
  call<NewToken>("POST", apiPath("tokens"), { body });
export const deleteToken = (id: string) => call<void>("DELETE", apiPath("tokens", id));

// People
export interface NewUser {
  name: string;
  display_name?: string;
  admin?: boolean;
}
export const listUsers = (signal?: Signal) => get<List<User>>(apiPath("users"), signal, { limit: 1000 });
export const createUser = (body: NewUser) =>
  call<{ user: User; link: string }>("POST", apiPath("users"), { body });
export const updateUser = (
  id: string,
  body: { disabled?: boolean; admin?: boolean; display_name?: string },
) => call<User>("PATCH", apiPath("users", id), { body });
export const createUserLink = (id: string) => call<{ link: string }>("POST", apiPath("users", id, "link"));

// Projects
export const listProjects = (signal?: Signal) =>
  get<List<Project>>(apiPath("projects"), signal, { limit: 1000 });
export const getProject = (project: string, signal?: Signal) =>
  get<Project>(apiPath("projects", project), signal);
export const createProject = (body: { name: string; description?: string }) =>
  call<Project>("POST", apiPath("projects"), { body });
export const updateProject = (project: string, body: { name?: string; description?: string }) =>
  call<Project>("PATCH", apiPath("projects", project), { body });
export const deleteProject = (project: string) => call<void>("DELETE", apiPath("projects", project));
export const listMembers = (project: string, signal?: Signal) =>
  get<List<Member>>(apiPath("projects", project, "members"), signal, { limit: 1000 });
export const putMember = (project: string, user: string, role: Role) =>
  call<Member>("PUT", apiPath("projects", project, "members", user), { body: { role } });
export const deleteMember = (project: string, user: string) =>
  call<void>("DELETE", apiPath("projects", project, "members", user));

// Workspaces
export interface InputRef {
  name?: string;
  ref: string;
}
export interface NewWorkspace {
  name: string;
  environment?: string;
  machine?: string;
  inputs?: InputRef[];
}
export const listMyWorkspaces = (signal?: Signal) =>
  get<List<Workspace>>(apiPath("workspaces"), signal, { limit: 200 });
export const listWorkspaces = (project: string, signal?: Signal) =>
  get<List<Workspace>>(apiPath("projects", project, "workspaces"), signal, { limit: 1000 });
export const getWorkspace = (id: string, signal?: Signal) =>
  get<Workspace>(apiPath("workspaces", id), signal);
export const createWorkspace = (project: string, body: NewWorkspace) =>
  call<Workspace>("POST", apiPath("projects", project, "workspaces"), { body });
export const deleteWorkspace = (id: string) => call<void>("DELETE", apiPath("workspaces", id));
export type WorkspaceAction = "start" | "stop" | "restart";
export const actOnWorkspace = (id: string, action: WorkspaceAction, machine?: string) =>
  call<Workspace>("POST", apiPath("workspaces", id, action), { body: machine ? { machine } : {} });
export const openWorkspace = (id: string, next?: string) =>
  call<{ url: string }>("POST", apiPath("workspaces", id, "open"), { body: next ? { next } : {} });
export const attachInput = (id: string, name: string, ref: string) =>
  call<Workspace>("PUT", apiPath("workspaces", id, "inputs", name), { body: { ref } });
export const detachInput = (id: string, name: string) =>
  call<void>("DELETE", apiPath("workspaces", id, "inputs", name));
export const getWorkspaceLog = (id: string, offset: number, signal?: Signal) =>
  get<LogPage>(apiPath("workspaces", id, "log"), signal, { offset });

// Jobs
export interface NewJob {
  name?: string;
  command?: string[];
  notebook?: string;
  parameters?: Record<string, Json>;
  inputs?: InputRef[];
  environment?: string;
  machine?: string;
  workspace_id?: string;
  snapshot_id?: string;
  idempotency_key?: string;
  time_limit_ms?: number;
}
export const listLatestJobs = (signal?: Signal) => get<List<Job>>(apiPath("jobs"), signal, { limit: 12 });
export const listJobs = (project: string, page: Page, signal?: Signal) =>
  get<List<Job>>(apiPath("projects", project, "jobs"), signal, page);
export const getJob = (project: string, number: number, signal?: Signal) =>
  get<Job>(apiPath("projects", project, "jobs", number), signal);
export const createJob = (project: string, body: NewJob) =>
  call<Job>("POST", apiPath("projects", project, "jobs"), { body });
export const stopJob = (project: string, number: number) =>
  call<Job>("POST", apiPath("projects", project, "jobs", number, "stop"));
export const rerunJob = (project: string, number: number, parameters?: Record<string, Json>) =>
  call<Job>("POST", apiPath("projects", project, "jobs", number, "rerun"), {
    body: parameters ? { parameters } : {},
  });
export const getJobLog = (
  project: string,
  number: number,
  query: { offset: number; limit?: number },
  signal?: Signal,
) => get<LogPage>(apiPath("projects", project, "jobs", number, "log"), signal, query);
export interface SeriesQuery {
  key: string;
  points: number;
}
export const getSeries = (project: string, number: number, query: SeriesQuery, signal?: Signal) =>
  get<List<Series>>(apiPath("projects", project, "jobs", number, "series"), signal, { ...query });
export type Tree = "files" | "outputs";
export const listFiles = (project: string, number: number, tree: Tree, path: string, signal?: Signal) =>
  get<List<File>>(apiPath("projects", project, "jobs", number, tree), signal, { path, limit: 1000 });

// Software and hardware
export const listEnvironments = (signal?: Signal) => get<List<Environment>>(apiPath("environments"), signal);
export const buildEnvironment = (name: string) =>
  call<Environment>("POST", apiPath("environments", name, "build"));
export const getEnvironmentLog = (name: string, offset: number, signal?: Signal) =>
  get<BuildLog>(apiPath("environments", name, "log"), signal, { offset });
export const listMachines = (signal?: Signal) => get<List<Machine>>(apiPath("machines"), signal);
