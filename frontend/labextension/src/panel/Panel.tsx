/** The panel beside the notebooks: this workspace's machine, its project's jobs, what is attached. */
import { ReactWidget } from "@jupyterlab/ui-components";
import { type JSX, useSyncExternalStore } from "react";
import type { JobStore } from "../jobs/store";
import type { Desk } from "../lab/desk";
import { Failure } from "../ui/Failure";
import { mark } from "../ui/mark";
import { Inputs } from "./Inputs";
import { Jobs } from "./Jobs";
import { Machine } from "./Machine";

/** Gets the focus when it is shown: the job that is unfolded, or all of it. */
class PanelWidget extends ReactWidget {
  readonly #content: JSX.Element;

  constructor(content: JSX.Element) {
    super();
    this.#content = content;
    this.node.tabIndex = -1;
  }

  protected override render(): JSX.Element {
    return this.#content;
  }

  protected override onActivateRequest(): void {
    (this.node.querySelector<HTMLElement>(".cairn-Job[data-open=true] > button") ?? this.node).focus();
  }
}

function Panel({ store, desk }: { store: JobStore; desk: Desk }) {
  const state = useSyncExternalStore(store.subscribe, store.get);
  return (
    <>
      <Failure error={state.error} />
      <Machine workspace={state.workspace} onRestart={desk.restart} />
      <Jobs store={store} desk={desk} state={state} />
      <Inputs store={store} desk={desk} workspace={state.workspace} jobs={state.jobs} />
    </>
  );
}

export function createPanel(store: JobStore, desk: Desk): ReactWidget {
  const panel = new PanelWidget(<Panel store={store} desk={desk} />);
  panel.id = "cairn-panel";
  panel.addClass("cairn-Panel");
  panel.title.icon = mark;
  panel.title.caption = "Cairn";
  panel.node.setAttribute("role", "region");
  panel.node.setAttribute("aria-label", "Cairn");
  return panel;
}
