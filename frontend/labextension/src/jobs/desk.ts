/** The panel's wishes, fulfilled by Lab. */

import type { Job } from "@cairn/api/types";
import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { INotebookTracker } from "@jupyterlab/notebook";
import type { Api } from "../api/operations";
import { createComparison } from "../compare/compare";
import { saveNew } from "../lab/contents";
import type { Desk } from "../lab/desk";
import { insertBelow, open, openAt, read, shown } from "../lab/notebooks";
import { inLab, jobNotebook, original } from "../lab/paths";
import { commands } from "../names";
import { untrusted } from "../run/notebook";

export function createDesk(app: JupyterFrontEnd, tracker: INotebookTracker, api: Api, hubHost: string): Desk {
  const { contents } = app.serviceManager;

  /** Where the executed notebook is among the outputs: under its path, or its name. */
  const executed = async (job: Job): Promise<string> => {
    const path = job.notebook ?? "";
    const name = path.split("/").at(-1) ?? "";
    const { items } = await api.outputs(job.project, job.number, "");
    return items.some(file => file.path === name) ? name : path;
  };

  return {
    async openNotebook(job) {
      const path = await executed(job);
      const notebook = await api.notebookOf(job.project, job.number, "outputs", path);
      const saved = await saveNew(contents, jobNotebook(job.number, path), {
        type: "notebook",
        format: "json",
        content: untrusted(notebook),
      });
      await open(app, saved);
      return saved;
    },

    async compare(job) {
      if (!job.notebook) return;
      const path = inLab(original(job.notebook));
      const panel = openAt(tracker, path);
      const [ran, now] = await Promise.all([
        api.notebookOf(job.project, job.number, "files", job.notebook),
        panel ? shown(panel) : read(contents, path),
      ]);
      const widget = createComparison(
        { label: `#${job.number}`, notebook: ran },
        { label: original(job.notebook), notebook: now },
        job.notebook !== original(job.notebook),
      );
      app.shell.add(widget, "main", { mode: panel ? "split-right" : "tab-after" });
      app.shell.activateById(widget.id);
    },

    insertCell: source => insertBelow(tracker, source),
    restart: () => void app.commands.execute(commands.restartOn),
    jobUrl: job => `${hubHost}/p/${encodeURIComponent(job.project)}/jobs/${job.number}`,
  };
}
