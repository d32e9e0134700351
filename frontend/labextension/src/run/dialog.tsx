/** The dialog around the form. It closes only when what it holds can be run. */
import { Dialog } from "@jupyterlab/apputils";
import { ReactWidget } from "@jupyterlab/ui-components";
import type { JobStore } from "../jobs/store";
import type { RunModel } from "./model";
import { RunForm } from "./RunForm";

class RunDialog extends Dialog<unknown> {
  readonly #model: RunModel;

  constructor(model: RunModel, store: JobStore, title: string) {
    const body = ReactWidget.create(<RunForm model={model} store={store} />);
    super({
      title,
      body,
      buttons: [Dialog.cancelButton(), Dialog.okButton({ label: "Run", caption: "Submit the job (Enter)" })],
      defaultButton: 1,
      focusNodeSelector: "[data-cairn-first]",
    });
    this.addClass("cairn-RunDialog");
    this.#model = model;
  }

  /** Lab would hear Enter before a field does that wants it for itself. */
  override handleEvent(event: Event): void {
    const isOwn =
      event instanceof KeyboardEvent &&
      event.key === "Enter" &&
      event.target instanceof Element &&
      event.target.closest("[data-own-enter=true]") !== null;
    if (!isOwn) super.handleEvent(event);
  }

  /** Lab calls this for Enter as well as for the button. */
  override resolve(index = 1): void {
    if (index === 0 || this.#model.check()) super.resolve(index);
    else this.#showProblem();
  }

  /** What is wrong gets the focus, once it is marked, or the button that tries the analysis again. */
  #showProblem(): void {
    const problem = "[aria-invalid=true], .cairn-Failure button";
    requestAnimationFrame(() => this.node.querySelector<HTMLElement>(problem)?.focus());
  }
}

function titleOf({ source, selected }: RunModel): string {
  if (source.what === "notebook") return `Run ${source.path.split("/").at(-1)} as a job`;
  return selected.length === 1
    ? "Run the selected cell as a job"
    : `Run ${selected.length} selected cells as a job`;
}

/** Whether it is to be run. */
export async function ask(model: RunModel, store: JobStore): Promise<boolean> {
  model.load();
  const { button } = await new RunDialog(model, store, titleOf(model)).launch();
  return button.accept;
}
