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
export type ChangedPath = Schemas["ChangedPath"];
export type DatasetAlias = Schemas["Alias"];
export type AliasMove = Schemas["AliasMove"];
export type Device = Schemas["Device"];
export type Environment = Schemas["Environment"];
export type EnvironmentState = Schemas["EnvironmentState"];
export type File = Schemas["File"];
export type Home = Schemas["Home"];
export type HomeConflict = Schemas["HomeConflict"];
export type Input = Schemas["Input"];
export type InputRef = Schemas["NewInput"];
export type JobState = Schemas["JobState"];
export type Lineage = Schemas["Lineage"];
export type LineageEdge = Schemas["LineageEdge"];
export type LineageNode = Schemas["LineageNode"];
export type LogLine = Schemas["LogLine"];
export type LogPage = Schemas["LogPage"];
export type Machine = Schemas["Machine"];
export type MachineDevice = Schemas["MachineDevice"];
export type MachineRun = Schemas["MachineRun"];
export type MachineType = Schemas["MachineType"];
export type Member = Schemas["Member"];
export type Outputs = Schemas["Outputs"];
export type Phase = Schemas["ProgressPhase"];
export type Progress = Schemas["Progress"];
export type Project = Schemas["Project"];
export type Role = Schemas["Role"];
export type Session = Schemas["Session"];
export type Token = Schemas["Token"];
export type User = Schemas["User"];
export type VersionDiff = Schemas["VersionDiff"];
export type VersionSource = Schemas["VersionSource"];
export type Visibility = Schemas["Visibility"];
export type Workspace = Schemas["Workspace"];
export type WorkspaceRun = Schemas["WorkspaceRun"];
export type WorkspaceState = Schemas["WorkspaceState"];

/** OpenAPI says "any value"; what travels is JSON. */
export type Job = Omit<Schemas["Job"], "parameters" | "metadata"> & {
  parameters: Record<string, Json>;
  metadata: Record<string, Json>;
};
export type Version = Omit<Schemas["Version"], "metadata"> & { metadata: Record<string, Json> };
export type VersionDetails = Omit<Schemas["VersionDetails"], "version"> & { version: Version };
export type Dataset = Omit<Schemas["Dataset"], "latest"> & { latest: Version | null };
/** Points are `[x, value, ms]`. */
export type Series = Omit<Schemas["Series"], "points"> & { points: [number, Json, number][] };
