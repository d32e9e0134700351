/** What the job reads: those of the workspace to begin with; others by their job's number. */
import type { InputRef, Job } from "@cairn/api/types";
import { type KeyboardEvent, useId, useRef, useState } from "react";
import { reference } from "../jobs/list";
import { refocus } from "../ui/focus";
import { Icon } from "../ui/Icon";
import { RefField } from "../ui/RefField";
import { withInput } from "./draft";
import type { RunModel, RunState } from "./model";

export function JobInputs({
  model,
  state,
  jobs,
}: {
  model: RunModel;
  state: RunState;
  jobs: readonly Job[];
}) {
  const { inputs } = state.draft;
  const [typed, setTyped] = useState("");
  const box = useRef<HTMLDivElement>(null);
  const id = useId();
  const ref = reference(typed);
  const add = () => {
    if (!ref) return;
    model.edit({ inputs: withInput(inputs, ref) });
    setTyped("");
  };
  const leaveOut = (input: InputRef) => {
    model.edit({ inputs: inputs.filter(each => each !== input) });
    refocus(box.current, "input");
  };
  // Enter in this field means this field, as long as there is something in it.
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || typed === "") return;
    event.preventDefault();
    event.stopPropagation();
    add();
  };
  return (
    <div className="cairn-JobInputs" ref={box}>
      {inputs.length > 0 ? (
        <ul aria-label="Inputs of the job">
          {inputs.map(input => (
            <li key={input.ref}>
              <code>/cairn/inputs/{input.name}</code> <span className="cairn-mod-muted">{input.ref}</span>
              <button
                type="button"
                className="cairn-IconButton"
                title="Leave out"
                onClick={() => leaveOut(input)}
              >
                <Icon name="close" />
                <span className="cairn-mod-hidden">Leave out {input.ref}</span>
              </button>
            </li>
          ))}
        </ul>
      ) : null}
      <label htmlFor={id} className="cairn-mod-hidden">
        Add outputs of a job
      </label>
      <div className="cairn-JobInputs-add" data-own-enter={typed !== ""}>
        <RefField
          id={id}
          placeholder="Add outputs of a job: #12 or #12/model"
          jobs={jobs}
          value={typed}
          onType={setTyped}
          onKeyDown={onKeyDown}
        />
        <button type="button" className="cairn-Button" disabled={!ref} onClick={add}>
          Add
        </button>
      </div>
    </div>
  );
}
