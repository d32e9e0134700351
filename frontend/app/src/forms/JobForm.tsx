/** The parts of the form that makes a job, and what it means. */
import type * as api from "@cairn/api/operations";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { InputPicker, type PickedInput } from "~/components/InputPicker";
import { MachineChoice } from "~/components/MachineTypes";
import { type Row, rowError, toParameters } from "~/forms/parameters";
import { cx } from "~/lib/class";
import { HOLDS } from "~/lib/hold";
import { usePrefetched } from "~/lib/query";
import { splitCommand } from "~/lib/shell";
import { meQuery } from "~/queries/account";
import { environmentsQuery, machineTypesQuery, workspacesQuery } from "~/queries/projects";
import { Button, IconButton } from "~/ui/Button";
import { Dialog } from "~/ui/Dialog";
import { SelectField, TextField } from "~/ui/Field";
import { ErrorNotice } from "~/ui/Notice";

type What = "notebook" | "command";
export interface Form {
  what: What;
  notebook: string;
  /** How long its run is held at a cell that fails; 0 for not at all. */
  hold_ms: number;
  command: string;
  name: string;
  workspace: string;
  environment: string;
  machine: string;
  rows: Row[];
  inputs: PickedInput[];
}

export function formError(form: Form): string | null {
  if (form.what === "notebook" && !form.notebook.endsWith(".ipynb"))
    return "Say which notebook to run: a path that ends in .ipynb.";
  if (form.what === "command") {
    const { words, error } = splitCommand(form.command);
    if (error) return error;
    if (words.length === 0) return "Say which command to run.";
  }
  return form.rows.some(row => rowError(row, form.rows)) ? "One of the parameters is not right yet." : null;
}

/** The same form with the same `key` makes one job, however often it is sent. */
export function toJob(form: Form, key: string): api.NewJob {
  return {
    idempotency_key: key,
    workspace_id: form.workspace,
    parameters: toParameters(form.rows),
    inputs: form.inputs,
    ...(form.what === "notebook"
      ? { notebook: form.notebook.trim(), ...(form.hold_ms ? { hold_ms: form.hold_ms } : {}) }
      : { command: splitCommand(form.command).words }),
    ...(form.name ? { name: form.name } : {}),
    ...(form.environment ? { environment: form.environment } : {}),
    ...(form.machine ? { machine: form.machine } : {}),
  };
}

interface PartProps {
  form: Form;
  change: (part: Partial<Form>) => void;
}

export function WhatToRun({ form, change }: PartProps) {
  return (
    <div className="grid gap-4">
      <fieldset className="grid grid-cols-2 gap-2">
        <legend className="mb-1 text-sm font-medium">Run</legend>
        {(["notebook", "command"] as const).map(what => (
          <label
            key={what}
            className={cx(
              "flex items-center gap-2 rounded border px-3 py-2 has-focus-visible:outline-2 has-focus-visible:outline-accent",
              form.what === what ? "border-accent bg-accent-soft" : "border-line-strong hover:bg-hover",
            )}
          >
            <input
              type="radio"
              name="what"
              className="accent-accent"
              checked={form.what === what}
              onChange={() => change({ what })}
            />
            {what === "notebook" ? "A notebook" : "A command"}
          </label>
        ))}
      </fieldset>
      {form.what === "notebook" ? (
        <>
          <TextField
            label="Notebook"
            className="font-mono"
            placeholder="train.ipynb"
            hint="From the project folder of the workspace. It runs from top to bottom on a kernel of its own."
            value={form.notebook}
            onChange={event => change({ notebook: event.target.value })}
          />
          <SelectField
            label="Hold on error"
            hint={
              form.hold_ms
                ? "A cell that fails does not end the job: its kernel is kept this long, for you to correct the notebook and go on from there. So is the machine, and it is paid for."
                : "A cell that fails ends the job."
            }
            value={form.hold_ms}
            onChange={event => change({ hold_ms: Number(event.target.value) })}
          >
            <option value={0}>off</option>
            {HOLDS.map(({ ms, label }) => (
              <option key={ms} value={ms}>
                {label}
              </option>
            ))}
          </SelectField>
        </>
      ) : (
        <TextField
          label="Command"
          className="font-mono"
          placeholder="python train.py --epochs 10"
          hint="Runs in the project folder, without a shell."
          error={splitCommand(form.command).error}
          value={form.command}
          onChange={event => change({ command: event.target.value })}
        />
      )}
    </div>
  );
}

export function Where({ form, change, project }: PartProps & { project: string }) {
  const me = usePrefetched(meQuery);
  const workspaces = usePrefetched(workspacesQuery(project)).items.filter(each => each.user_id === me.id);
  const environments = useQuery(environmentsQuery);
  const machines = useQuery(machineTypesQuery);
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      <SelectField
        label="From workspace"
        value={form.workspace}
        onChange={event => change({ workspace: event.target.value })}
      >
        {workspaces.map(each => (
          <option key={each.id} value={each.id}>
            {each.name}
          </option>
        ))}
      </SelectField>
      <SelectField
        label="Environment"
        value={form.environment}
        onChange={event => change({ environment: event.target.value })}
      >
        <option value="">as the workspace</option>
        {environments.data?.items.map(each => (
          <option key={each.name}>{each.name}</option>
        ))}
      </SelectField>
      <div className="sm:col-span-2">
        <MachineChoice
          label="Machine"
          types={machines.data?.items ?? []}
          usual="As the workspace"
          value={form.machine}
          onChange={machine => change({ machine })}
        />
      </div>
      <div className="sm:col-span-2">
        <ErrorNotice error={environments.error ?? machines.error} />
      </div>
    </div>
  );
}

export function Inputs({ form, change, project }: PartProps & { project: string }) {
  const [picking, setPicking] = useState(false);
  return (
    <div className="grid gap-2">
      {form.inputs.map(input => (
        <p key={input.name} className="flex items-center gap-2 rounded border border-line py-0.5 pr-1 pl-3">
          <span className="min-w-0 flex-1 truncate">
            {input.ref} <span className="text-muted">as</span> <code>/cairn/inputs/{input.name}</code>
          </span>
          <IconButton
            label={`Remove ${input.name}`}
            icon="close"
            size="sm"
            onClick={() => change({ inputs: form.inputs.filter(each => each !== input) })}
          />
        </p>
      ))}
      <Button size="sm" icon="plus" className="justify-self-start" onClick={() => setPicking(true)}>
        Attach data or outputs
      </Button>
      {picking ? (
        <Dialog title="Attach data or outputs" onClose={() => setPicking(false)}>
          <InputPicker
            project={project}
            verb="Add"
            onPick={input => {
              change({ inputs: [...form.inputs.filter(each => each.name !== input.name), input] });
              setPicking(false);
            }}
          />
        </Dialog>
      ) : null}
    </div>
  );
}
