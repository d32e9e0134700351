/** "Run as job": the commands, and where one finds them. */

import type { Job } from "@cairn/api/types";
import type { JupyterFrontEnd } from "@jupyterlab/application";
import { Dialog, type ICommandPalette, showDialog } from "@jupyterlab/apputils";
import type { IMainMenu } from "@jupyterlab/mainmenu";
import type { INotebookTracker, NotebookPanel } from "@jupyterlab/notebook";
import type { ReadonlyPartialJSONObject } from "@lumino/coreutils";
import type { Notebook } from "../api/types";
import { Carrier } from "../carry/carrier";
import type { JobStore } from "../jobs/store";
import { selectedCells, shown } from "../lab/notebooks";
import { inProject } from "../lab/paths";
import { CATEGORY, commands } from "../names";
import { mark } from "../ui/mark";
import { ask } from "./dialog";
import { newDraft } from "./draft";
import { RunModel } from "./model";
import { codeCells, slim } from "./notebook";
import { submit } from "./submit";

export interface Surroundings {
  app: JupyterFrontEnd;
  tracker: INotebookTracker;
  store: JobStore;
  /** The home as a kernel finds it. */
  home: string;
  onMade: (job: Job) => void;
  show: (job: Job) => void;
}

/** Asks, and submits in the background; again and again as long as somebody wants to try again. */
async function run(model: RunModel, around: Surroundings): Promise<void> {
  const { store, onMade, show } = around;
  if (await ask(model, store))
    await submit(model, store, { onMade, show, again: () => void run(model, around) });
}

/** The path within the project folder; says so where there is none. */
async function projectPath(panel: NotebookPanel): Promise<string | null> {
  const path = inProject(panel.context.path);
  if (path === null)
    await showDialog({
      title: "This notebook cannot run as a job",
      body: "A job runs a copy of the project folder, “work”. Move the notebook there, then try again.",
      buttons: [Dialog.okButton()],
    });
  return path;
}

function modelOf(
  { store, home }: Surroundings,
  panel: NotebookPanel,
  path: string,
  selected: number[] | null,
): RunModel {
  const notebook: Notebook = slim(shown(panel));
  const all = codeCells(notebook).map(each => each.cell);
  const name =
    path
      .split("/")
      .at(-1)
      ?.replace(/\.ipynb$/, "") ?? "";
  const inputs = (store.get().workspace?.inputs ?? []).map(({ ref, name: folder }) => ({
    ref,
    name: folder,
  }));
  return new RunModel({
    api: store.api,
    source: selected ? { what: "cells", path, notebook } : { what: "notebook", path },
    notebook,
    selected: selected ? selected.filter(cell => all.includes(cell)) : all,
    carrier: new Carrier(panel.sessionContext, home),
    draft: newDraft(name, inputs),
  });
}

async function runNotebook(around: Surroundings, panel: NotebookPanel): Promise<void> {
  const path = await projectPath(panel);
  if (path === null) return;
  // Where that fails, Lab has said why, or asked what to do where the file changed on disk.
  if (panel.context.model.dirty) await panel.context.save().catch(() => undefined);
  if (panel.context.model.dirty) return;
  await run(modelOf(around, panel, path, null), around);
}

async function runCells(around: Surroundings, panel: NotebookPanel): Promise<void> {
  const path = await projectPath(panel);
  if (path === null) return;
  const model = modelOf(around, panel, path, selectedCells(panel));
  if (model.selected.length > 0) return run(model, around);
  await showDialog({
    title: "No code is selected",
    body: "Select one or more code cells, then try again.",
    buttons: [Dialog.okButton()],
  });
}

/** Beside Lab's own keys to run cells. Ctrl+Shift+J is what browsers open their tools with. */
const KEYS = ["Accel Shift Enter"];
/** While one types in a cell, and while one moves among cells: the selectors that Lab's own keys have. */
const NOTEBOOK_HAS_FOCUS = [
  ".jp-Notebook.jp-mod-editMode",
  ".jp-Notebook.jp-mod-commandMode:not(.jp-mod-readWrite) :focus",
];

export function addRunCommands(
  around: Surroundings,
  menu: IMainMenu | null,
  palette: ICommandPalette | null,
): void {
  const { app, tracker } = around;
  // A toolbar's button means its own notebook, whichever is in front.
  const panelOf = ({ panel }: ReadonlyPartialJSONObject): NotebookPanel | null =>
    panel
      ? (tracker.find(each => each.id === panel) ?? null)
      : tracker.currentWidget === app.shell.currentWidget
        ? tracker.currentWidget
        : null;
  const isEnabled = (args: ReadonlyPartialJSONObject) => panelOf(args) !== null;
  const withPanel =
    (work: (around: Surroundings, panel: NotebookPanel) => Promise<void>) =>
    async (args: ReadonlyPartialJSONObject) => {
      const panel = panelOf(args);
      if (panel) await work(around, panel);
    };
  app.commands.addCommand(commands.runNotebook, {
    label: args => (args.panel ? "Run as job" : "Run Notebook as Job…"),
    caption: "Save this notebook and run all of it as a job",
    icon: args => (args.panel ? mark : undefined),
    isEnabled,
    execute: withPanel(runNotebook),
  });
  app.commands.addCommand(commands.runCells, {
    label: "Run Selected Cells as Job…",
    caption: "Run the selected cells, with what they need, as a job",
    isEnabled,
    execute: withPanel(runCells),
  });
  for (const selector of NOTEBOOK_HAS_FOCUS)
    app.commands.addKeyBinding({ command: commands.runCells, keys: KEYS, selector });
  app.contextMenu.addItem({ command: commands.runCells, selector: ".jp-Notebook .jp-CodeCell", rank: 9 });
  const both = [{ command: commands.runCells }, { command: commands.runNotebook }];
  menu?.runMenu.addGroup(both, 90);
  menu?.editMenu.addGroup([{ command: commands.runCells }], 90);
  for (const command of [commands.runCells, commands.runNotebook])
    palette?.addItem({ command, category: CATEGORY });
}
