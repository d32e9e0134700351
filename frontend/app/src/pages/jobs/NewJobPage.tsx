/** A new job: a command or a notebook from a workspace's project folder, with parameters, environment, machine and inputs. */
import * as api from "@cairn/api/operations";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type LoaderFunctionArgs, useNavigate, useParams, useSearchParams } from "react-router";
import { InputPicker, type PickedInput } from "~/components/InputPicker";
import { share } from "~/components/MachineMeters";
import { ParameterRows } from "~/forms/ParameterRows";
import { type Row, rowError, toParameters } from "~/forms/parameters";
import { useDraft } from "~/hooks/useDraft";
import { cx } from "~/lib/class";
import { prefetch, usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { splitCommand } from "~/lib/shell";
import { paths } from "~/paths";
import { meQuery } from "~/queries/account";
import { latestJobsQuery } from "~/queries/jobs";
import { environmentsQuery, machinesQuery, workspacesQuery } from "~/queries/projects";
import { Button, ButtonLink, IconButton } from "~/ui/Button";
import { Dialog } from "~/ui/Dialog";
import { Empty } from "~/ui/Empty";
import { SelectField, TextField } from "~/ui/Field";
import { ErrorNotice } from "~/ui/Notice";
import { Card, Page, Section } from "~/ui/Page";

export async function loader({ request, params }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  void prefetch(environmentsQuery).catch(() => undefined);
  void prefetch(machinesQuery).catch(() => undefined);
  await prefetch(workspacesQuery(params.project ?? ""));
  return null;
}

type What = "notebook" | "command";
interface Form {
  what: What;
  notebook: string;
  command: string;
  name: string;
  workspace: string;
  environment: string;
  machine: string;
  rows: Row[];
  inputs: PickedInput[];
}

function formError(form: Form): string | null {
  if (form.what === "notebook" && !form.notebook.endsWith(".ipynb"))
    return "Say which notebook to run: a path that ends in .ipynb.";
  if (form.what === "command") {
    const { words, error } = splitCommand(form.command);
    if (error) return error;
    if (words.length === 0) return "Say which command to run.";
  }
  return form.rows.some(row => rowError(row, form.rows)) ? "One of the parameters is not right yet." : null;
}

function toJob(form: Form): api.NewJob {
  return {
    workspace_id: form.workspace,
    parameters: toParameters(form.rows),
    inputs: form.inputs,
    ...(form.what === "notebook"
      ? { notebook: form.notebook.trim() }
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

function WhatToRun({ form, change }: PartProps) {
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
        <TextField
          label="Notebook"
          className="font-mono"
          placeholder="train.ipynb"
          hint="From the project folder of the workspace. It runs from top to bottom on a kernel of its own."
          value={form.notebook}
          onChange={event => change({ notebook: event.target.value })}
        />
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

function Where({ form, change, project }: PartProps & { project: string }) {
  const me = usePrefetched(meQuery);
  const workspaces = usePrefetched(workspacesQuery(project)).items.filter(each => each.user_id === me.id);
  const environments = useQuery(environmentsQuery);
  const machines = useQuery(machinesQuery);
  return (
    <div className="grid gap-4 sm:grid-cols-3">
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
      <SelectField
        label="Machine"
        value={form.machine}
        onChange={event => change({ machine: event.target.value })}
      >
        <option value="">as the workspace</option>
        {machines.data?.items.map(each => (
          <option key={each.name} value={each.name}>
            {each.name} ({share(each)})
          </option>
        ))}
      </SelectField>
      <div className="sm:col-span-3">
        <ErrorNotice error={environments.error ?? machines.error} />
      </div>
    </div>
  );
}

function Inputs({ form, change, project }: PartProps & { project: string }) {
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
        Attach a job’s outputs
      </Button>
      {picking ? (
        <Dialog title="Attach a job’s outputs" onClose={() => setPicking(false)}>
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

function useForm(project: string) {
  const [search] = useSearchParams();
  const me = usePrefetched(meQuery);
  const mine = usePrefetched(workspacesQuery(project)).items.filter(each => each.user_id === me.id);
  const draft = useDraft<Form>(`job.${project}`, {
    what: "notebook",
    notebook: "",
    command: "",
    name: "",
    workspace: "",
    environment: "",
    machine: "",
    rows: [],
    inputs: [],
  });
  const asked = search.get("workspace");
  const known = mine.some(each => each.id === draft.value.workspace) ? draft.value.workspace : "";
  const form: Form = {
    ...draft.value,
    workspace: known || mine.find(each => each.id === asked)?.id || mine[0]?.id || "",
    notebook: draft.value.notebook || search.get("notebook") || "",
  };
  return { form, change: draft.change, clear: draft.clear, hasWorkspace: mine.length > 0 };
}

export function Component() {
  const { project = "" } = useParams();
  const { form, change, clear, hasWorkspace } = useForm(project);
  const [tried, setTried] = useState(false);
  const client = useQueryClient();
  const navigate = useNavigate();
  const create = useMutation({
    mutationFn: () => api.createJob(project, toJob(form)),
    onSuccess: async job => {
      clear();
      void client.invalidateQueries({ queryKey: latestJobsQuery.queryKey });
      await navigate(paths.job(project, job.number));
    },
  });
  const wrong = formError(form);
  if (!hasWorkspace) {
    return (
      <Page title="New job" tab={`New job · ${project}`} width="narrow">
        <Empty
          icon="jobs"
          title="A job runs code from a workspace"
          command={`cairn run --project ${project} -- python train.py`}
          action={
            <ButtonLink look="primary" icon="plus" to={paths.newWorkspace(project)}>
              New workspace
            </ButtonLink>
          }
        >
          Make a workspace and put your notebook there, or run a folder of your own computer from its
          terminal.
        </Empty>
      </Page>
    );
  }
  return (
    <Page title="New job" tab={`New job · ${project}`} width="narrow">
      <form
        className="grid gap-6"
        onSubmit={event => {
          event.preventDefault();
          setTried(true);
          if (!wrong) create.mutate();
        }}
      >
        <Card className="grid gap-5 p-5">
          <WhatToRun form={form} change={change} />
          <Where form={form} change={change} project={project} />
        </Card>
        <Section
          title="Parameters"
          about="In a notebook they replace the values of the cell tagged “parameters”."
        >
          <ParameterRows rows={form.rows} onChange={rows => change({ rows })} />
        </Section>
        <Section title="Inputs" about="Read-only folders with what other jobs left.">
          <Inputs form={form} change={change} project={project} />
        </Section>
        <TextField
          label="Name of the job"
          optional
          value={form.name}
          onChange={event => change({ name: event.target.value })}
        />
        <ErrorNotice error={create.error ?? (tried && wrong ? new Error(wrong) : null)} />
        <div className="flex gap-2">
          <Button look="primary" type="submit" icon="play" busy={create.isPending}>
            Run job
          </Button>
          <Button look="quiet" onClick={clear}>
            Clear the form
          </Button>
        </div>
      </form>
    </Page>
  );
}
