/** The operations that only Lab uses, written by hand until the generated schema has them. */
import type { components } from "@cairn/api/schema";
import type { Json } from "@cairn/api/types";

/** Why a cell is part of the proposal. `text` is for people. */
export interface Reason {
  kind: string;
  what: string | null;
  text: string;
}

export interface NeededCell {
  /** Its position among all cells, counted from 0. */
  cell: number;
  id: string | null;
  reasons: Reason[];
  /** It may not be needed after all. */
  doubt: boolean;
}

export type ParameterKind = "boolean" | "integer" | "number" | "text" | "list" | "map" | "none" | "code";

export interface FoundParameter {
  name: string;
  kind: ParameterKind;
  default: Json;
  /** The default as it is written in the notebook. */
  code: string;
  help: string | null;
  cell: number;
  /** Whether it stands in the cell tagged `parameters`, or is any assignment that could be made one. */
  source: "parameters" | "assignment";
}

/** What selected cells need to run by themselves. */
export interface Proposal {
  /** In the order to run. */
  cells: NeededCell[];
  doubts: string[];
  /** Names that no cell that ran defines: they may live in the kernel only. */
  missing: string[];
  parameters: FoundParameter[];
}

/** A notebook as nbformat 4 writes it. What it holds is the notebook's affair. */
export type Notebook = Record<string, unknown>;

export interface CellsQuestion {
  notebook: Notebook;
  selected: number[];
}

export interface JobCells {
  notebook: Notebook;
  /** Within the project folder. */
  path: string;
  /** Positions, in the order to run. */
  keep: number[];
  /** Names of assignments to make parameters of. */
  lift?: string[];
  /** Python that runs first. */
  prelude?: string;
}

export type NewLabJob = components["schemas"]["NewJob"] & { cells?: JobCells };
