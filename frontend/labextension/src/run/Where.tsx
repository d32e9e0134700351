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
  const problem = showsErrors || draft.minutes ? minutesProblem(draft.minutes) : null;
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
      <div className="cairn-Field">
        <label htmlFor={`${id}-minutes`}>Time limit</label>
        <input
          id={`${id}-minutes`}
          type="text"
          inputMode="decimal"
          placeholder="none"
          aria-invalid={problem !== null}
          aria-describedby={`${id}-minutes-about`}
          autoComplete="off"
          value={draft.minutes}
          onChange={event => model.edit({ minutes: event.target.value })}
        />
        <p id={`${id}-minutes-about`} className={problem ? "cairn-Field-error" : "cairn-mod-muted"}>
          {problem ?? "in minutes"}
        </p>
      </div>
    </div>
  );
}
