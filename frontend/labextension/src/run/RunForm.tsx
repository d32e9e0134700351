/** The body of the dialog: what runs, with which values, and where. It is there at once and fills as answers come. */
import { type ReactNode, useId, useSyncExternalStore } from "react";
import type { JobStore } from "../jobs/store";
import { Failure } from "../ui/Failure";
import { CarryList } from "./CarryList";
import { CellList, Skeleton } from "./CellList";
import { kept } from "./draft";
import { JobInputs } from "./JobInputs";
import type { RunModel } from "./model";
import { ParameterFields } from "./ParameterFields";
import { Where } from "./Where";

export function RunForm({ model, store }: { model: RunModel; store: JobStore }) {
  const state = useSyncExternalStore(model.subscribe, model.get);
  const { jobs } = useSyncExternalStore(store.subscribe, store.get);
  const id = useId();
  const { draft, proposal } = state;
  const isCells = model.source.what === "cells";
  const count = proposal ? `${kept(proposal, draft).length} of ${model.cells.size}` : "";
  return (
    <div className="cairn-RunForm">
      <div className="cairn-Field">
        <label htmlFor={id}>Name</label>
        <input
          id={id}
          type="text"
          data-cairn-first=""
          autoComplete="off"
          spellCheck={false}
          value={draft.name}
          onChange={event => model.edit({ name: event.target.value })}
          onFocus={event => event.target.select()}
        />
        <p />
      </div>
      {isCells ? (
        <Group title="Cells" aside={count}>
          <CellList model={model} state={state} />
        </Group>
      ) : null}
      {isCells && proposal && proposal.missing.length > 0 ? (
        <Group title="Values to carry along">
          <CarryList model={model} state={state} />
        </Group>
      ) : null}
      <Group title="Parameters">
        {proposal ? (
          <ParameterFields model={model} state={state} />
        ) : state.analysisError ? (
          <p className="cairn-mod-muted">The notebook’s own values.</p>
        ) : (
          <Skeleton rows={2} />
        )}
      </Group>
      <Group title="Where">
        <Failure error={state.whereError} />
        <Where model={model} state={state} />
      </Group>
      <Group title="Inputs">
        <JobInputs model={model} state={state} jobs={jobs} />
      </Group>
    </div>
  );
}

function Group({ title, aside, children }: { title: string; aside?: string; children: ReactNode }) {
  return (
    <fieldset className="cairn-Group">
      <legend>
        {title} {aside ? <span className="cairn-mod-muted">{aside}</span> : null}
      </legend>
      {children}
    </fieldset>
  );
}
