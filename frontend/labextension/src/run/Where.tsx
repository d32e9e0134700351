/** On what, with what software and for how long at most. */

import type { MachineType } from "@cairn/api/types";
import { availability, price, share } from "@cairn/app/lib/machine";
import { useId } from "react";
import { minutesProblem } from "./draft";
import type { RunModel, RunState } from "./model";

/** `gpu-1 · 2 free · 1.20 / h`. */
const option = (type: MachineType): string =>
  [type.name, type.misfit ? "not available" : availability(type).text, price(type)]
    .filter(Boolean)
    .join(" · ");

export function Where({ model, state }: { model: RunModel; state: RunState }) {
  const { draft, machines, environments, showsErrors } = state;
  const id = useId();
  const usual = machines.find(type => type.is_default);
  const type = machines.find(each => each.name === draft.machine) ?? usual;
  return (
    <div className="cairn-Where">
      <div className="cairn-Field">
        <label htmlFor={`${id}-machine`}>Machine</label>
        <select
          id={`${id}-machine`}
          value={draft.machine || (usual?.name ?? "")}
          aria-describedby={`${id}-share`}
          onChange={event => model.edit({ machine: event.target.value })}
        >
          {machines.length === 0 ? <option value="">the usual one</option> : null}
          {machines.map(each => (
            <option key={each.name} value={each.name} disabled={each.misfit !== null}>
              {option(each)}
            </option>
          ))}
        </select>
        <p id={`${id}-share`} className="cairn-mod-muted">
          {type ? `${share(type)}${type.free === 0 ? " · waits until one is free" : ""}` : null}
        </p>
      </div>
      <div className="cairn-Field">
        <label htmlFor={`${id}-environment`}>Environment</label>
        <select
          id={`${id}-environment`}
          value={draft.environment}
          onChange={event => model.edit({ environment: event.target.value })}
        >
          <option value="">as in this workspace</option>
          {environments.map(each => (
            <option key={each.name} value={each.name}>
              {each.state === "ready"
                ? each.name
                : `${each.name} (${each.state === "missing" ? "not built" : each.state})`}
            </option>
          ))}
        </select>
        <p />
      </div>
      <Minutes
        label="Time limit"
        about="in minutes"
        value={draft.minutes}
        showsErrors={showsErrors}
        onChange={minutes => model.edit({ minutes })}
      />
      <Minutes
        label="Limit of each cell"
        about="in minutes"
        value={draft.cellMinutes}
        showsErrors={showsErrors}
        onChange={cellMinutes => model.edit({ cellMinutes })}
      />
    </div>
  );
}

interface MinutesProps {
  label: string;
  about: string;
  value: string;
  showsErrors: boolean;
  onChange: (typed: string) => void;
}

function Minutes({ label, about, value, showsErrors, onChange }: MinutesProps): React.ReactElement {
  const id = useId();
  const problem = showsErrors || value ? minutesProblem(value) : null;
  return (
    <div className="cairn-Field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type="text"
        inputMode="decimal"
        placeholder="none"
        aria-invalid={problem !== null}
        aria-describedby={`${id}-about`}
        autoComplete="off"
        value={value}
        onChange={event => onChange(event.target.value)}
      />
      <p id={`${id}-about`} className={problem ? "cairn-Field-error" : "cairn-mod-muted"}>
        {problem ?? about}
      </p>
    </div>
  );
}
