/** The button in a notebook's toolbar. */
import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { NotebookPanel } from "@jupyterlab/notebook";
import { CommandToolbarButton } from "@jupyterlab/ui-components";
import { DisposableDelegate, type IDisposable } from "@lumino/disposable";
import { commands } from "../names";

const NAME = "cairn-run-as-job";

export function addToolbarButton(app: JupyterFrontEnd): void {
  app.docRegistry.addWidgetExtension("Notebook", {
    createNew(panel: NotebookPanel): IDisposable {
      const button = new CommandToolbarButton({
        commands: app.commands,
        id: commands.runNotebook,
        args: { panel: panel.id },
        label: "Run as job",
      });
      button.addClass("cairn-RunButton");
      // Settings may have left out what it stands behind; then it is the last of the left ones.
      if (!panel.toolbar.insertAfter("restart-and-run", NAME, button))
        panel.toolbar.insertBefore("spacer", NAME, button) || panel.toolbar.addItem(NAME, button);
      return new DisposableDelegate(() => button.dispose());
    },
  });
}
