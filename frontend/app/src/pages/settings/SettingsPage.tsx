/** A project's settings: what it is, who works in it, its end. */
import * as api from "@cairn/api/operations";
import type { Project } from "@cairn/api/types";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type LoaderFunctionArgs, useNavigate, useParams } from "react-router";
import { prefetch, usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { paths } from "~/paths";
import { membersQuery, projectQuery } from "~/queries/projects";
import { Button } from "~/ui/Button";
import { Confirm } from "~/ui/Confirm";
import { TextField } from "~/ui/Field";
import { ErrorNotice } from "~/ui/Notice";
import { Card, Page, Section } from "~/ui/Page";
import { toast } from "~/ui/Toasts";
import { Members } from "./Members";

export async function loader({ request, params }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  const project = params.project ?? "";
  await Promise.all([prefetch(projectQuery(project)), prefetch(membersQuery(project))]);
  return null;
}

function About({ project }: { project: Project }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [name, setName] = useState(project.name);
  const [description, setDescription] = useState(project.description);
  const save = useMutation({
    mutationFn: () => api.updateProject(project.id, { name, description }),
    onSuccess: async saved => {
      client.setQueryData(projectQuery(saved.name).queryKey, saved);
      await client.invalidateQueries({ queryKey: ["projects"] });
      toast("Saved");
      if (saved.name !== project.name) await navigate(paths.settings(saved.name), { replace: true });
    },
  });
  return (
    <form
      className="grid gap-4"
      onSubmit={event => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <TextField
        label="Name"
        required
        hint="It is part of addresses and references: old ones stop to work."
        value={name}
        onChange={event => setName(event.target.value)}
      />
      <TextField
        label="Description"
        optional
        value={description}
        onChange={event => setDescription(event.target.value)}
      />
      <ErrorNotice error={save.error} />
      <Button
        type="submit"
        className="justify-self-start"
        busy={save.isPending}
        disabled={name === project.name && description === project.description}
      >
        Save
      </Button>
    </form>
  );
}

function Delete({ project }: { project: Project }) {
  const [asking, setAsking] = useState(false);
  const [typed, setTyped] = useState("");
  const client = useQueryClient();
  const navigate = useNavigate();
  return (
    <Section title="Delete" about="Deletes the project with everything in it.">
      <div>
        <Button look="danger" icon="trash" onClick={() => setAsking(true)}>
          Delete project
        </Button>
      </div>
      {asking ? (
        <Confirm
          title={`Delete ${project.name}?`}
          verb="Delete project"
          danger
          run={() =>
            typed === project.name
              ? api.deleteProject(project.id)
              : Promise.reject(new Error(`Write ${project.name} to confirm.`))
          }
          onClose={() => setAsking(false)}
          onDone={async () => {
            await client.invalidateQueries({ queryKey: ["projects"] });
            await navigate(paths.start());
            toast(`Deleted ${project.name}`);
          }}
        >
          <p>
            Everything in it is gone for good: all workspaces with their files, all jobs with their code,
            logs, charts and outputs.
          </p>
          <TextField
            label={`Write ${project.name} to confirm`}
            value={typed}
            onChange={event => setTyped(event.target.value)}
          />
        </Confirm>
      ) : null}
    </Section>
  );
}

export function Component() {
  const { project: name = "" } = useParams();
  const project = usePrefetched(projectQuery(name));
  const mayManage = project.role === "owner";
  return (
    <Page title="Settings" tab={`Settings · ${project.name}`} width="narrow">
      {mayManage ? (
        <Section title="Project">
          <Card className="p-4">
            <About key={project.id} project={project} />
          </Card>
        </Section>
      ) : (
        <p className="text-muted">{project.description || "This project has no description."}</p>
      )}
      <Members project={project} mayManage={mayManage} />
      {mayManage ? <Delete project={project} /> : null}
    </Page>
  );
}
