/** A new job: a command or a notebook from a workspace's project folder, with parameters, environment, machine and inputs. */
import * as api from "@cairn/api/operations";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type LoaderFunctionArgs, useNavigate, useParams, useSearchParams } from "react-router";
import { type Form, formError, Inputs, toJob, WhatToRun, Where } from "~/forms/JobForm";
import { ParameterRows } from "~/forms/ParameterRows";
import { useDraft } from "~/hooks/useDraft";
import { randomKey } from "~/lib/key";
import { prefetch, usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { paths } from "~/paths";
import { meQuery } from "~/queries/account";
import { latestJobsQuery } from "~/queries/jobs";
import { environmentsQuery, machineTypesQuery, workspacesQuery } from "~/queries/projects";
import { Button, ButtonLink } from "~/ui/Button";
import { Empty } from "~/ui/Empty";
import { TextField } from "~/ui/Field";
import { ErrorNotice } from "~/ui/Notice";
import { Card, Page, Section } from "~/ui/Page";

export async function loader({ request, params }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  void prefetch(environmentsQuery).catch(() => undefined);
  void prefetch(machineTypesQuery).catch(() => undefined);
  await prefetch(workspacesQuery(params.project ?? ""));
  return null;
}

function useForm(project: string) {
  const [search] = useSearchParams();
  const me = usePrefetched(meQuery);
  const mine = usePrefetched(workspacesQuery(project)).items.filter(each => each.user_id === me.id);
  const draft = useDraft<Form>(`job.${project}`, {
    what: "notebook",
    notebook: "",
    hold_ms: 0,
    command: "",
    name: "",
    workspace: "",
    environment: "",
    machine: "",
    rows: [],
    inputs: [],
  });
  const [key, setKey] = useState(randomKey);
  const asked = search.get("workspace");
  const known = mine.some(each => each.id === draft.value.workspace) ? draft.value.workspace : "";
  const form: Form = {
    ...draft.value,
    workspace: known || mine.find(each => each.id === asked)?.id || mine[0]?.id || "",
    notebook: draft.value.notebook || search.get("notebook") || "",
  };
  // Sent again as it is, because of a double click or a lost answer, the form makes one job; changed, it is another request.
  const change: typeof draft.change = part => {
    setKey(randomKey());
    draft.change(part);
  };
  return { form, key, change, clear: draft.clear, hasWorkspace: mine.length > 0 };
}

export function Component() {
  const { project = "" } = useParams();
  const { form, key, change, clear, hasWorkspace } = useForm(project);
  const [tried, setTried] = useState(false);
  const client = useQueryClient();
  const navigate = useNavigate();
  const create = useMutation({
    mutationFn: () => api.createJob(project, toJob(form, key)),
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
