/** A job that is held at a cell that failed: which cell, and whether a file can be the notebook to go on with. Pure. */
import type { Job } from "@cairn/api/types";

export type Hold = NonNullable<Job["hold"]>;

/** The service takes this much, in bytes. */
export const MOST_BYTES = 64 * 1024 * 1024;

const MINUTE = 60_000;
/** How long a run may be held at a cell that fails. The service takes up to 7 days. */
export const HOLDS: readonly { ms: number; label: string }[] = [
  { ms: 15 * MINUTE, label: "15 minutes" },
  { ms: 60 * MINUTE, label: "1 hour" },
  { ms: 4 * 60 * MINUTE, label: "4 hours" },
  { ms: 12 * 60 * MINUTE, label: "12 hours" },
  { ms: 24 * 60 * MINUTE, label: "1 day" },
  { ms: 7 * 24 * 60 * MINUTE, label: "7 days" },
];

/** Which cell it is, as in `cell 3 of 5`. */
export const heldAt = (hold: Pick<Hold, "cell_number" | "cells">): string =>
  `cell ${hold.cell_number} of ${hold.cells}`;

/** The notebook that a file's text is. Throws with what is wrong, for the person who chose the file. */
export function toNotebook(text: string): Record<string, unknown> {
  const parsed = parse(text.replace(/^\uFEFF/, ""));
  if (parsed === null || typeof parsed !== "object" || Array.isArray(parsed))
    throw new Error("This file is not a notebook: it is not a JSON object.");
  const notebook = parsed as Record<string, unknown>;
  if (!Array.isArray(notebook.cells))
    throw new Error("This file is not a notebook: it has no list of cells.");
  if (notebook.nbformat !== 4) throw new Error("This notebook is not of format 4: save it in JupyterLab.");
  return notebook;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("This file is not a notebook: it is not JSON.");
  }
}
