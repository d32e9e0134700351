/** A notebook on its way to the analysis and to a job: what it printed and showed stays here. Pure. */
import type { Notebook } from "../api/types";

interface Cell {
  cell_type?: string;
  source?: string | string[];
  execution_count?: number | null;
  [key: string]: unknown;
}

export interface CellSummary {
  /** Its position among all cells. */
  cell: number;
  /** The number of its last execution, as Lab shows it; null where it never ran. */
  ran: number | null;
  /** The first line that says something. */
  title: string;
}

const cellsOf = (notebook: Notebook): Cell[] =>
  Array.isArray(notebook.cells) ? (notebook.cells as Cell[]) : [];

/** nbformat has sources as one text or as lines. */
export const sourceOf = (cell: Cell): string =>
  Array.isArray(cell.source) ? cell.source.join("") : (cell.source ?? "");

/** The notebook without outputs, pictures and the state of widgets. Execution numbers stay: the analysis goes by them. */
export function slim(notebook: Notebook): Notebook {
  const { widgets: _, ...metadata } = (notebook.metadata ?? {}) as Record<string, unknown>;
  const cells = cellsOf(notebook).map(({ attachments: _attachments, ...cell }) =>
    cell.cell_type === "code" ? { ...cell, outputs: [] } : cell,
  );
  return { ...notebook, metadata, cells };
}

/**
 * A notebook that somebody else may have made, on its way to this server's disk. Jupyter signs what says of itself that it is trusted, when it is
 * saved by this way; signed outputs may run scripts in Lab.
 */
export function untrusted(notebook: Notebook): Notebook {
  const cells = cellsOf(notebook).map(cell => {
    const { trusted: _, ...metadata } = (cell.metadata ?? {}) as Record<string, unknown>;
    return { ...cell, metadata };
  });
  return { ...notebook, cells };
}

/** Its code cells that hold anything. */
export function codeCells(notebook: Notebook): CellSummary[] {
  return cellsOf(notebook).flatMap((cell, index) => {
    const lines = sourceOf(cell).split("\n");
    const title = lines.map(line => line.trim()).find(Boolean);
    return cell.cell_type === "code" && title
      ? [{ cell: index, ran: cell.execution_count ?? null, title }]
      : [];
  });
}
