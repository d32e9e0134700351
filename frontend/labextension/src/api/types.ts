/** The records of running cells as jobs, as the generated schema has them. It says "any value" where JSON or a notebook travels. */
import type { components } from "@cairn/api/schema";
import type { Json } from "@cairn/api/types";

type Schemas = components["schemas"];

/** A notebook as nbformat 4 writes it. What it holds is the notebook's affair. */
export type Notebook = Record<string, unknown>;

export type ParameterKind = "boolean" | "integer" | "number" | "text" | "list" | "map" | "none" | "code";

export type Reason = Schemas["CellReason"];
export type NeededCell = Schemas["ProposedCell"];
export type FoundParameter = Omit<Schemas["CellParameter"], "kind" | "default" | "source"> & {
  kind: ParameterKind;
  default: Json;
  /** Whether it stands in the cell tagged `parameters`, or is an assignment that could be made one. */
  source: "parameters" | "assignment";
};

/** What selected cells need to run by themselves. */
export type Proposal = Omit<Schemas["CellProposal"], "parameters"> & { parameters: FoundParameter[] };
export type CellsQuestion = Omit<Schemas["CellSelection"], "notebook"> & { notebook: Notebook };
export type JobCells = Omit<Schemas["NewCells"], "notebook"> & { notebook: Notebook };
export type NewLabJob = Omit<Schemas["NewJob"], "cells"> & { cells?: JobCells };
