/** What is attached to this workspace, and a field to attach more by name. */

import type { Job, Workspace } from "@cairn/api/types";
import { bytes, plural } from "@cairn/app/lib/format";
import { type FormEvent, useId, useRef, useState } from "react";
import { inputName, reference } from "../jobs/list";
import type { JobStore } from "../jobs/store";
import type { Desk } from "../lab/desk";
import { Failure } from "../ui/Failure";
import { refocus } from "../ui/focus";
import { RefField } from "../ui/RefField";
import { useAction } from "../ui/useAction";
import { AttachedPath } from "./Attached";
import { Section } from "./Section";

interface Props {
  store: JobStore;
  desk: Desk;
  workspace: Workspace | null;
  jobs: readonly Job[];
}

export function Inputs({ store, desk, workspace, jobs }: Props) {
  const detaching = useAction();
  const list = useRef<HTMLUListElement>(null);
  const inputs = workspace?.inputs ?? [];
  const detach = (name: string) =>
    detaching.run(async () => {
      await store.detach(name);
      refocus(list.current?.parentElement, "form input");
    });
  return (
    <Section title="Inputs">
      <ul ref={list} className="cairn-Inputs" aria-label="Attached inputs">
        {inputs.map(input => (
          <li key={input.name}>
            <AttachedPath name={input.name} desk={desk} />
            <div className="cairn-Inputs-facts">
              <span className="cairn-mod-muted">
                {input.ref} · {plural(input.files, "file")}, {bytes(input.bytes)}
              </span>
              <button
                type="button"
                className="cairn-Link"
                aria-disabled={detaching.busy}
                aria-label={`Detach ${input.name}`}
                onClick={() => detach(input.name)}
              >
                Detach
              </button>
            </div>
          </li>
        ))}
      </ul>
      <Failure error={detaching.error} />
      <AttachField store={store} jobs={jobs} isEmpty={inputs.length === 0} />
    </Section>
  );
}

function AttachField({ store, jobs, isEmpty }: { store: JobStore; jobs: readonly Job[]; isEmpty: boolean }) {
  const [typed, setTyped] = useState("");
  const attaching = useAction();
  const id = useId();
  const ref = reference(typed);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!ref) return;
    attaching.run(async () => {
      await store.attach(inputName(ref), ref);
      setTyped("");
    });
  };
  return (
    <form className="cairn-Attach" onSubmit={submit}>
      <label htmlFor={id}>{isEmpty ? "Attach a job’s outputs" : "Attach more outputs"}</label>
      <div>
        <RefField
          id={id}
          className="jp-mod-styled"
          placeholder="#12 or #12/model"
          jobs={jobs}
          value={typed}
          onType={setTyped}
        />
        <button type="submit" className="cairn-Button" disabled={!ref} aria-disabled={attaching.busy}>
          {attaching.busy ? "Attaching…" : "Attach"}
        </button>
      </div>
      {typed && !ref ? (
        <p className="cairn-mod-muted">Write a job’s number, such as #12 or #12/model</p>
      ) : null}
      <Failure error={attaching.error} />
    </form>
  );
}
