/** The names under which Lab knows what we add. */

export const CATEGORY = "Cairn";

export const commands = {
  restartOn: "cairn:restart-on",
  runNotebook: "cairn:run-notebook-as-job",
  runCells: "cairn:run-cells-as-job",
  showPanel: "cairn:show-panel",
} as const;
