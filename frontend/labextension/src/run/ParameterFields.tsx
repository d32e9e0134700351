/** The job's parameters, each with a control of its type, and assignments that can become parameters. */
import { useId } from "react";
import type { FoundParameter } from "../api/types";
import { refocus } from "../ui/focus";
import { type Draft, fieldsOf } from "./draft";
import type { Field } from "./fields";
import type { RunModel, RunState } from "./model";

export function ParameterFields({ model, state }: { model: RunModel; state: RunState }) {
  const { draft, proposal, showsErrors } = state;
  if (!proposal) return null;
  const fields = fieldsOf(proposal, draft);
  // A whole notebook runs as it is saved: only its own parameters can be set.
  const rest =
    model.source.what === "cells"
      ? proposal.parameters.filter(each => each.source === "assignment" && !draft.lifted.includes(each.name))
      : [];
  return (
    <>
      {fields.length === 0 ? (
        <p className="cairn-mod-muted">
          No cell is tagged “parameters”{rest.length > 0 ? "." : ", so there are none."}
        </p>
      ) : null}
      <div className="cairn-Parameters">
        {fields.map(field => (
          <ParameterField
            key={field.parameter.name}
            field={field}
            showsError={showsErrors || field.isChanged}
            onChange={text => model.edit({ texts: { ...draft.texts, [field.parameter.name]: text } })}
            {...(field.parameter.source === "assignment"
              ? { onDrop: () => lift(model, draft, field.parameter, false) }
              : {})}
          />
        ))}
      </div>
      {rest.length > 0 ? (
        <details className="cairn-Assignments">
          <summary>More from assignments ({rest.length})</summary>
          <ul>
            {rest.map(parameter => (
              <li key={parameter.name}>
                <code>
                  {parameter.name} = {parameter.code}
                </code>
                <button
                  type="button"
                  className="cairn-Link"
                  aria-label={`Make ${parameter.name} a parameter`}
                  onClick={() => lift(model, draft, parameter, true)}
                >
                  Make a parameter
                </button>
              </li>
            ))}
          </ul>
        </details>
      ) : null}
    </>
  );
}

function lift(model: RunModel, draft: Draft, { name }: FoundParameter, isOn: boolean): void {
  const group = document.activeElement?.closest("fieldset");
  model.edit({ lifted: isOn ? [...draft.lifted, name] : draft.lifted.filter(each => each !== name) });
  refocus(group, isOn ? `[data-name="${name}"] input` : "summary");
}

interface FieldProps {
  field: Field;
  showsError: boolean;
  onChange: (text: string) => void;
  /** Only for what was made a parameter here. */
  onDrop?: () => void;
}

function ParameterField({ field: { parameter, text, error }, showsError, onChange, onDrop }: FieldProps) {
  const id = useId();
  const { name, kind, code, help } = parameter;
  const said = showsError ? error : null;
  const isNumeric = kind === "number" || kind === "integer";
  return (
    <div className="cairn-Field" data-name={name}>
      <div className="cairn-Field-label">
        <label htmlFor={id}>
          <code>{name}</code>
        </label>
        {onDrop ? (
          <button type="button" className="cairn-Link" aria-label={`Leave ${name} as it is`} onClick={onDrop}>
            Leave as it is
          </button>
        ) : null}
      </div>
      {kind === "boolean" ? (
        <span className="cairn-Field-check">
          <input
            id={id}
            type="checkbox"
            checked={text === "true"}
            onChange={event => onChange(String(event.target.checked))}
          />
          {text === "true" ? "yes" : "no"}
        </span>
      ) : (
        <input
          id={id}
          type="text"
          inputMode={isNumeric ? "decimal" : "text"}
          className={isNumeric || kind === "text" ? "" : "cairn-mod-code"}
          placeholder={kind === "code" ? `${code} (as it is)` : undefined}
          aria-invalid={said !== null}
          aria-describedby={`${id}-about`}
          spellCheck={false}
          autoComplete="off"
          value={text}
          onChange={event => onChange(event.target.value)}
        />
      )}
      <p id={`${id}-about`} className={said ? "cairn-Field-error" : "cairn-mod-muted"}>
        {said ?? help}
      </p>
    </div>
  );
}
