/** What we do to notebooks in Lab: look at the one in front, read and save, put new ones beside. */
import type { JupyterFrontEnd } from "@jupyterlab/application";
import { type INotebookTracker, NotebookActions, type NotebookPanel } from "@jupyterlab/notebook";
import type { Contents } from "@jupyterlab/services";
import type { Notebook } from "../api/types";

/** The positions of the cells that are selected, or of the active one; in the order of the page. */
export function selectedCells({ content }: NotebookPanel): number[] {
  return content.widgets.flatMap((cell, index) => (content.isSelectedOrActive(cell) ? [index] : []));
}

/** The notebook as it stands in the browser, saved or not. */
export const shown = (panel: NotebookPanel): Notebook =>
  (panel.content.model?.sharedModel.toJSON() ?? {}) as unknown as Notebook;

/** The panel of a path, if it is open. */
export function openAt(tracker: INotebookTracker, path: string): NotebookPanel | null {
  return tracker.find(panel => panel.context.path.replace(/^[\w-]+:/, "") === path) ?? null;
}

export function insertBelow(tracker: INotebookTracker, source: string): boolean {
  const notebook = tracker.currentWidget?.content;
  if (!notebook?.model) return false;
  NotebookActions.insertBelow(notebook);
  notebook.activeCell?.model.sharedModel.setSource(source);
  return true;
}

export const read = async (contents: Contents.IManager, path: string): Promise<Notebook> =>
  (await contents.get(path, { type: "notebook", content: true })).content as Notebook;

export const open = (app: JupyterFrontEnd, path: string): Promise<unknown> =>
  app.commands.execute("docmanager:open", { path, factory: "Notebook" });
