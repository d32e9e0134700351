/** The records of the API under the names that the app uses. Knows nothing of React or of transport. */

export interface List<T> {
  items: T[];
  next?: string | null;
}
export type Role = "owner" | "editor" | "viewer";
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface Info {
  version: string;
  sign_in: string[];
  signed_in: boolean;
}
export interface User {
  id: string;
  name: string;
  display_name: string;
  admin: boolean;
  disabled: boolean;
  has_password: boolean;
  created_ms: number;
}
export interface Session {
  id: string;
  created_ms: number;
  expires_ms: number;
  last_seen_ms: number;
  user_agent: string;
  current: boolean;
}
export interface Token {
  id: string;
  name: string;
  scopes: string[];
  created_ms: number;
  expires_ms?: number | null;
  last_used_ms?: number | null;
}
export interface NewToken {
  token: string;
  info: Token;
}
export interface Device {
  user_code: string;
  name: string;
  created_ms: number;
  expires_ms: number;
}
export interface Project {
  id: string;
  name: string;
  description: string;
  role: Role | null;
  created_ms: number;
}
export interface Member {
  user_id: string;
  name: string;
  display_name: string;
  role: Role;
}
export interface Input {
  name: string;
  ref: string;
  manifest_digest: string;
  files: number;
  bytes: number;
}
export type WorkspaceState = "stopped" | "starting" | "running" | "stopping" | "error";
export interface Workspace {
  id: string;
  name: string;
  project_id: string;
  project: string;
  user_id: string;
  user: string;
  environment: string;
  machine: string;
  state: WorkspaceState;
  phase: string | null;
  message: string | null;
  inputs: Input[];
  created_ms: number;
  started_ms: number | null;
  last_activity_ms: number | null;
}
export type JobState = "created" | "queued" | "started" | "stopping" | "stopped" | "error" | "complete";
export interface Skipped {
  path: string;
  reason: string;
}
export interface Outputs {
  manifest_digest: string;
  content_digest: string;
  files: number;
  bytes: number;
  skipped: Skipped[];
}
export interface Job {
  id: string;
  number: number;
  name: string;
  project_id: string;
  project: string;
  user_id: string;
  user: string;
  workspace_id: string | null;
  snapshot_id: string;
  command: string[] | null;
  notebook: string | null;
  parameters: Record<string, Json>;
  inputs: Input[];
  environment: string;
  machine: string;
  state: JobState;
  message: string | null;
  exit_code: number | null;
  signal: number | null;
  metadata: Record<string, Json>;
  outputs: Outputs | null;
  rerun_of: string | null;
  time_limit_ms: number | null;
  created_ms: number;
  started_ms: number | null;
  ended_ms: number | null;
  attempt: number;
  log_bytes: number;
}
export interface LogLine {
  offset: number;
  ms: number;
  stream: "stdout" | "stderr" | "system";
  text: string;
  partial: boolean;
}
export interface LogPage {
  items: LogLine[];
  next: number;
  ended: boolean;
}
export interface Series {
  key: string;
  points: [number, Json, number][];
  total: number;
}
export interface File {
  path: string;
  kind: "file" | "directory" | "symlink";
  bytes: number;
  hash: string | null;
  executable: boolean;
  target: string | null;
}
export type EnvironmentState = "missing" | "building" | "ready" | "failed";
export interface Environment {
  name: string;
  python: string | null;
  packages: string[];
  state: EnvironmentState;
  message: string | null;
  digest: string | null;
}
export interface BuildLog {
  text: string;
  next: number;
}
export interface Machine {
  name: string;
  /** Thousandths of a core; null means all of the machine's. */
  cpu_millicores: number | null;
  memory_bytes: number | null;
  gpus: number;
  time_limit_ms: number | null;
  /** How many jobs may run at once, how many more could start now, and how many wait. */
  capacity: number;
  free: number;
  queued: number;
}
export interface Change {
  number: number;
  kind: string;
  project_id: string | null;
  subject: string;
}
