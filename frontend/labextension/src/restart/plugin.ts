/** "Restart on…" leads to the app: only there may a person move their workspace. */
import { JupyterFrontEnd, type JupyterFrontEndPlugin } from "@jupyterlab/application";
import { ICommandPalette } from "@jupyterlab/apputils";
import { IMainMenu } from "@jupyterlab/mainmenu";
import { CATEGORY, commands } from "../names";

export const restart: JupyterFrontEndPlugin<void> = {
  id: "cairn-lab:restart",
  description: "Adds “Restart on…” to the File menu and the palette.",
  autoStart: true,
  requires: [JupyterFrontEnd.IPaths],
  optional: [IMainMenu, ICommandPalette],
  activate: (app, paths: JupyterFrontEnd.IPaths, menu: IMainMenu | null, palette: ICommandPalette | null) => {
    const { hubHost = "", hubPrefix = "", hubUser = "" } = paths.urls;
    if (!hubPrefix || !hubUser) return;
    const command = commands.restartOn;
    app.commands.addCommand(command, {
      label: "Restart on…",
      caption: "Restart this workspace, on this machine or another; files and address stay",
      execute: () => window.open(`${hubHost}${hubPrefix}spawn/${encodeURIComponent(hubUser)}`, "_blank"),
    });
    menu?.fileMenu.addGroup([{ command }], 90);
    palette?.addItem({ command, category: CATEGORY });
  },
};
