/** The records of the API under the names that the app uses. All of them come from the generated schema. */
import type { components } from "./schema.ts";

type Schemas = components["schemas"];

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export interface List<T> {
  items: T[];
  next: string | null;
}

export type AuditEntry = Schemas["AuditEntry"];
export type BuildLog = Schemas["BuildLog"];
export type Change = Schemas["Change"];
export type Device = Schemas["Device"];
export type Environment = Schemas["Environment"];
export type EnvironmentState = Schemas["EnvironmentState"];
export type File = Schemas["File"];
export type Input = Schemas["Input"];
export type InputRef = Schemas["NewInput"];
export type JobState = Schemas["JobState"];
export type LogLine = Schemas["LogLine"];
export type LogPage = Schemas["LogPage"];
export type Member = Schemas["Member"];
export type Outputs = Schemas["Outputs"];
export type Project = Schemas["Project"];
export type Role = Schemas["Role"];
export type Session = Schemas["Session"];
export type Token = Schemas["Token"];
export type User = Schemas["User"];
export type WorkspaceState = Schemas["WorkspaceState"];

/** What the server will say of machines, queues and homes; each of it is missing as long as it does not. */
export type MachineType = Omit<Schemas["Machine"], "capacity" | "free"> & {
  capacity: number | null;
  free: number | null;
  gpu_model?: string | null;
  price_per_hour?: string | null;
  misfit?: string | null;
  is_default?: boolean;
};
export interface Queue {
  position: number;
  length: number;
  reason: string;
}
interface Placed {
  machine_id?: string | null;
  machine_name?: string | null;
  devices?: string[];
  price_per_hour?: string | null;
  cost?: string | null;
  queue?: Queue | null;
}
export interface Phase {
  phase: string;
  label: string;
  detail: string | null;
  started_ms: number | null;
  ended_ms: number | null;
  estimate_ms: number | null;
}
export interface Progress {
  started_ms: number;
  phases: Phase[];
}
export interface Conflict {
  name: string;
  machine_name: string;
  created_ms: number;
}
export interface Home {
  bytes: number;
  files: number;
  quota_bytes: number | null;
  warning: string | null;
  measured_ms: number;
  snapshot_ms: number | null;
  conflicts: Conflict[];
}
export interface Run {
  id: string;
  machine: string;
  machine_id: string;
  machine_name: string;
  devices: string[];
  started_ms: number;
  ended_ms: number | null;
  price_per_hour: string | null;
  cost: string | null;
}
export interface HostRun {
  kind: "workspace" | "job";
  project: string;
  name: string;
  number: number | null;
  workspace_id: string | null;
  user: string;
  machine: string;
  started_ms: number;
}
export interface HostDevice {
  id: string;
  model: string;
  held: boolean;
  run: HostRun | null;
}
export interface Machine {
  id: string;
  name: string;
  kind: "local" | "worker";
  state: "online" | "offline" | "draining";
  seen_ms: number | null;
  created_ms: number;
  labels: string[];
  own_labels: string[];
  runtimes: string[];
  cpu_millicores: number | null;
  cpu_used_millicores: number;
  memory_bytes: number | null;
  memory_used_bytes: number;
  slots: number | null;
  slots_used: number;
  devices: HostDevice[];
  runs: HostRun[];
}

export type Workspace = Schemas["Workspace"] & Placed & { progress?: Progress | null; home?: Home | null };

/** OpenAPI says "any value"; what travels is JSON. */
export type Job = Omit<Schemas["Job"], "parameters" | "metadata"> &
  Placed & {
    parameters: Record<string, Json>;
    metadata: Record<string, Json>;
  };
/** Points are `[x, value, ms]`. */
export type Series = Omit<Schemas["Series"], "points"> & { points: [number, Json, number][] };
