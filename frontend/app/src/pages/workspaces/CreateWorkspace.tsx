/** The dialog that creates a workspace and, if asked, starts it. */
import * as api from "@cairn/api/operations";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { InputPicker, type PickedInput } from "~/components/InputPicker";
import { MachineChoice } from "~/components/MachineTypes";
import { useDraft } from "~/hooks/useDraft";
import { paths } from "~/paths";
import { environmentsQuery, machineTypesQuery } from "~/queries/projects";
import { Button, IconButton } from "~/ui/Button";
import { Checkbox, SelectField, TextField } from "~/ui/Field";
import { FormDialog } from "~/ui/FormDialog";
import { ErrorNotice } from "~/ui/Notice";

interface Form {
  name: string;
  environment: string;
  machine: string;
  start: boolean;
  inputs: PickedInput[];
}
const EMPTY: Form = { name: "", environment: "", machine: "", start: true, inputs: [] };

function Inputs({
  project,
  inputs,
  onChange,
}: {
  project: string;
  inputs: PickedInput[];
  onChange: (inputs: PickedInput[]) => void;
}) {
  const [picking, setPicking] = useState(false);
  return (
    <section className="grid gap-2">
      <h3 className="text-sm font-medium">
        Inputs <span className="ml-1 font-normal text-faint">optional</span>
      </h3>
      {inputs.map(input => (
        <p key={input.name} className="flex items-center gap-2 rounded border border-line py-0.5 pr-1 pl-3">
          <span className="min-w-0 flex-1 truncate">
            {input.ref} <span className="text-muted">as</span> <code>inputs/{input.name}</code>
          </span>
          <IconButton
            label={`Remove ${input.name}`}
            icon="close"
            size="sm"
            onClick={() => onChange(inputs.filter(each => each !== input))}
          />
        </p>
      ))}
      {picking ? (
        <InputPicker
          project={project}
          verb="Add"
          onPick={input => {
            onChange([...inputs.filter(each => each.name !== input.name), input]);
            setPicking(false);
          }}
        />
      ) : (
        <Button size="sm" icon="plus" className="justify-self-start" onClick={() => setPicking(true)}>
          Attach data or outputs
        </Button>
      )}
    </section>
  );
}

export function CreateWorkspace({ project, onClose }: { project: string; onClose: () => void }) {
  const { value, change, clear } = useDraft<Form>(`workspace.${project}`, EMPTY);
  const client = useQueryClient();
  const navigate = useNavigate();
  const environments = useQuery(environmentsQuery);
  const machines = useQuery(machineTypesQuery);
  const create = useMutation({
    mutationFn: async () => {
      const workspace = await api.createWorkspace(project, {
        name: value.name,
        inputs: value.inputs,
        ...(value.environment ? { environment: value.environment } : {}),
        ...(value.machine ? { machine: value.machine } : {}),
      });
      clear();
      // Whatever becomes of the start, the workspace exists: its page shows how the start went.
      if (value.start) await api.actOnWorkspace(workspace.id, "start").catch(() => undefined);
      return workspace;
    },
    onSuccess: async workspace => {
      await client.invalidateQueries({ queryKey: ["workspaces"] });
      await navigate(paths.workspace(project, workspace.id));
    },
  });
  return (
    <FormDialog
      title="New workspace"
      verb={value.start ? "Create and start" : "Create"}
      action={create}
      onClose={onClose}
    >
      <TextField
        label="Name"
        required
        maxLength={63}
        placeholder="lab"
        value={value.name}
        onChange={event => change({ name: event.target.value })}
      />
      <SelectField
        label="Environment"
        value={value.environment}
        onChange={event => change({ environment: event.target.value })}
      >
        <option value="">usual</option>
        {environments.data?.items.map(each => (
          <option key={each.name}>{each.name}</option>
        ))}
      </SelectField>
      <MachineChoice
        label="Machine"
        types={machines.data?.items ?? []}
        value={value.machine || (machines.data?.items.find(each => each.is_default)?.name ?? "")}
        onChange={machine => change({ machine })}
      />
      <Inputs project={project} inputs={value.inputs} onChange={inputs => change({ inputs })} />
      <Checkbox
        label="Start it right away"
        checked={value.start}
        onChange={event => change({ start: event.target.checked })}
      />
      <ErrorNotice error={environments.error ?? machines.error} />
    </FormDialog>
  );
}
