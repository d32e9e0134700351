/** The dialog's state: it outlives the dialog, so that a job that was refused can be tried again with everything that was typed. */
import type { Environment, MachineType } from "@cairn/api/types";
import { UUID } from "@lumino/coreutils";
import { words } from "../api/client";
import type { Api } from "../api/operations";
import type { NewLabJob, Notebook, Proposal } from "../api/types";
import type { Carrier } from "../carry/carrier";
import type { Probe } from "../carry/code";
import { Carrying } from "./carrying";
import { type Context, type Draft, isFine, problems, type Source } from "./draft";
import { type CellSummary, codeCells } from "./notebook";

export interface RunState {
  draft: Draft;
  /** Null while the analysis runs for the first time. */
  proposal: Proposal | null;
  isAnalysing: boolean;
  /** Why there is no proposal. */
  analysisError: string | null;
  machines: readonly MachineType[];
  environments: readonly Environment[];
  /** Why those cannot be chosen. */
  whereError: string | null;
  /** What the missing names hold, as far as the kernel has said. */
  probes: Readonly<Record<string, Probe>>;
  /** Why the kernel did not say. */
  probeError: string | null;
  /** Errors are shown once somebody tried to run it, and beside what was touched. */
  showsErrors: boolean;
}

interface Given {
  api: Api;
  source: Source;
  notebook: Notebook;
  /** Positions of the selected cells; all of them for a whole notebook. */
  selected: number[];
  carrier: Carrier;
  draft: Draft;
}

export class RunModel {
  readonly source: Source;
  readonly selected: readonly number[];
  readonly cells: ReadonlyMap<number, CellSummary>;
  readonly carrier: Carrier;
  readonly carrying: Carrying;
  readonly #api: Api;
  readonly #notebook: Notebook;
  #state: RunState;
  #asking: AbortController | null = null;
  #sent: { text: string; key: string } | null = null;
  readonly #listeners = new Set<() => void>();

  constructor({ api, source, notebook, selected, carrier, draft }: Given) {
    this.#api = api;
    this.source = source;
    this.selected = selected;
    this.carrier = carrier;
    this.carrying = new Carrying(carrier);
    this.#notebook = notebook;
    this.cells = new Map(codeCells(notebook).map(each => [each.cell, each]));
    this.#state = {
      draft,
      proposal: null,
      isAnalysing: true,
      analysisError: null,
      machines: [],
      environments: [],
      whereError: null,
      probes: {},
      probeError: null,
      showsErrors: false,
    };
  }

  readonly get = (): RunState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  get context(): Context {
    return { workspaceId: this.#api.workspaceId, source: this.source };
  }

  /** Asks for everything that the dialog shows. What is there from an earlier try stays until the answers come. */
  load(): void {
    void this.analyse();
    this.#set({ whereError: null });
    const failed = (error: unknown) => this.#set({ whereError: words(error) });
    this.#api.machineTypes().then(({ items }) => this.#set({ machines: items }), failed);
    this.#api.environments().then(({ items }) => this.#set({ environments: items }), failed);
  }

  readonly edit = (part: Partial<Draft>): void => this.#set({ draft: { ...this.#state.draft, ...part } });

  /** Takes a cell in or leaves it out. One that nobody proposed counts as selected: what it needs is proposed as well. */
  readonly tick = (cell: number, isOn: boolean): void => {
    const { draft, proposal } = this.#state;
    const isProposed = proposal?.cells.some(each => each.cell === cell) ?? false;
    const without = (list: number[]) => list.filter(each => each !== cell);
    if (isOn && isProposed) this.edit({ dropped: without(draft.dropped) });
    else if (isOn || draft.added.includes(cell)) {
      this.edit({ added: isOn ? [...draft.added, cell] : without(draft.added) });
      void this.analyse();
    } else this.edit({ dropped: [...without(draft.dropped), cell] });
  };

  async analyse(): Promise<void> {
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    this.#set({ isAnalysing: true, analysisError: null });
    const selected = [...this.selected, ...this.#state.draft.added].sort((a, b) => a - b);
    try {
      const proposal = await this.#api.analyse({ notebook: this.#notebook, selected }, asking.signal);
      if (this.#asking !== asking) return;
      this.#set({ proposal, isAnalysing: false });
      if (this.source.what === "cells") this.#probe(proposal.missing);
    } catch (error) {
      if (this.#asking === asking) this.#set({ isAnalysing: false, analysisError: words(error) });
    }
  }

  /** Whether it can be run as it is; if not, what is wrong is shown from now on. */
  check(): boolean {
    const { draft, proposal, probes } = this.#state;
    const isReady = proposal !== null || this.source.what === "notebook";
    const isGood = isReady && isFine(problems(proposal, draft, probes));
    this.#set({ showsErrors: !isGood });
    return isGood;
  }

  /** The key to send a job with: the same as before only where the job is, so that trying again never makes a second one. */
  keyOf(body: NewLabJob): string {
    const text = JSON.stringify(body);
    if (this.#sent?.text !== text) this.#sent = { text, key: UUID.uuid4() };
    return this.#sent.key;
  }

  #probe(names: string[]): void {
    const unknown = names.filter(name => !(name in this.#state.probes));
    if (unknown.length === 0 || !this.carrier.canCarry) return;
    this.carrier.probe(unknown).then(
      found => this.#set({ probes: { ...this.#state.probes, ...found }, probeError: null }),
      (error: unknown) => this.#set({ probeError: words(error) }),
    );
  }

  #set(part: Partial<RunState>): void {
    this.#state = { ...this.#state, ...part };
    for (const listener of this.#listeners) listener();
  }
}
