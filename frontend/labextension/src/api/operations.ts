/** One method for each operation that Lab uses, on this workspace and its project. */
import type { components } from "@cairn/api/schema";
import type { Environment, File, Job, List, LogPage, MachineType, Series, Workspace } from "@cairn/api/types";
import type { Client } from "./client";
import type { CellsQuestion, NewLabJob, Notebook, Proposal } from "./types";

/** How many points a chart in the panel can show. */
const POINTS = 160;
const FILES = 1000;

export class Api {
  readonly client: Client;
  readonly workspaceId: string;

  constructor(client: Client, workspaceId: string) {
    this.client = client;
    this.workspaceId = workspaceId;
  }

  workspace = () => this.client.json<Workspace>(["workspaces", this.workspaceId]);
  attach = (name: string, ref: string) =>
    this.client.json<components["schemas"]["Input"]>(["workspaces", this.workspaceId, "inputs", name], {
      method: "PUT",
      body: { ref },
    });
  detach = (name: string) =>
    this.client.json<void>(["workspaces", this.workspaceId, "inputs", name], { method: "DELETE" });

  jobs = (project: string, limit: number, cursor: string | null = null) =>
    this.client.json<List<Job>>(["projects", project, "jobs"], { query: { limit, cursor } });
  job = (project: string, number: number) => this.client.json<Job>(["projects", project, "jobs", number]);
  stop = (project: string, number: number) =>
    this.client.json<Job>(["projects", project, "jobs", number, "stop"], { method: "POST" });
  submit = (project: string, body: NewLabJob) =>
    this.client.json<Job>(["projects", project, "jobs"], { method: "POST", body });
  series = (project: string, number: number) =>
    this.client.json<List<Series>>(["projects", project, "jobs", number, "series"], {
      query: { points: POINTS },
    });
  log = (project: string, number: number, offset: number, limit: number) =>
    this.client.json<LogPage>(["projects", project, "jobs", number, "log"], { query: { offset, limit } });
  outputs = (project: string, number: number, path: string) =>
    this.client.json<List<File>>(["projects", project, "jobs", number, "outputs"], {
      query: { path, limit: FILES },
    });
  notebookOf = (project: string, number: number, tree: "files" | "outputs", path: string) =>
    this.client.json<Notebook>(["projects", project, "jobs", number, tree, "content"], { query: { path } });

  analyse = (question: CellsQuestion, signal: AbortSignal) =>
    this.client.json<Proposal>(["notebooks", "cells"], { method: "POST", body: question, signal });
  machineTypes = () => this.client.json<List<MachineType>>(["machine-types"]);
  environments = () => this.client.json<List<Environment>>(["environments"]);
}
