/** Jobs in Lab: the panel, the commands that run cells and notebooks, and the word when one has ended. */

import type { Job } from "@cairn/api/types";
import { ILayoutRestorer, JupyterFrontEnd, type JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette } from "@jupyterlab/apputils";
import { IMainMenu } from "@jupyterlab/mainmenu";
import { INotebookTracker } from "@jupyterlab/notebook";
import { Client } from "../api/client";
import { Api } from "../api/operations";
import { workspaceOf } from "../lab/paths";
import { CATEGORY, commands } from "../names";
import { createPanel } from "../panel/Panel";
import { addRunCommands } from "../run/commands";
import { addToolbarButton } from "../run/toolbar";
import { createDesk } from "./desk";
import { notifyEnds } from "./notify";
import { JobStore } from "./store";

const RANK = 150;

export const jobs: JupyterFrontEndPlugin<void> = {
  id: "cairn-lab:jobs",
  description: "Runs notebooks and selected cells as jobs, and shows the project's jobs.",
  autoStart: true,
  requires: [JupyterFrontEnd.IPaths, INotebookTracker],
  optional: [IMainMenu, ICommandPalette, ILayoutRestorer],
  activate: (
    app,
    paths: JupyterFrontEnd.IPaths,
    tracker: INotebookTracker,
    menu: IMainMenu | null,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
  ) => {
    const workspaceId = workspaceOf(paths.urls.base);
    if (workspaceId === null) return;
    const api = new Api(new Client(paths.urls.base), workspaceId);
    const store = new JobStore(api);
    const desk = createDesk(app, tracker, api, paths.urls.hubHost ?? "");
    const panel = createPanel(store, desk);
    app.shell.add(panel, "left", { rank: RANK });
    restorer?.add(panel, panel.id);

    const show = (job: Job) => {
      store.unfold(job.number);
      app.shell.activateById(panel.id);
    };
    const onMade = notifyEnds(store, { show, open: desk.openNotebook });
    const home = paths.directories.serverRoot || "~";
    addRunCommands({ app, tracker, store, home, onMade, show }, menu, palette);
    addToolbarButton(app);
    app.commands.addCommand(commands.showPanel, {
      label: "Show Jobs",
      execute: () => app.shell.activateById(panel.id),
    });
    palette?.addItem({ command: commands.showPanel, category: CATEGORY });
    void app.restored.then(() => store.start());
  },
};
