/** Brings the tab back when the workspace was restarted, in place of Lab's question whether to restart the server. */
import {
  IConnectionLost,
  JupyterFrontEnd,
  type JupyterFrontEndPlugin,
  type JupyterLab,
} from "@jupyterlab/application";
import { Watch } from "./watch";

export const connection: JupyterFrontEndPlugin<IConnectionLost> = {
  id: "cairn-lab:connection",
  description: "Brings the tab back when the workspace was restarted.",
  autoStart: true,
  requires: [JupyterFrontEnd.IPaths],
  provides: IConnectionLost,
  activate: (app, paths: JupyterFrontEnd.IPaths) => {
    const watch = new Watch(app as JupyterLab, paths.urls.base);
    void app.restored.then(() => watch.begin());
    return () => watch.look();
  },
};
