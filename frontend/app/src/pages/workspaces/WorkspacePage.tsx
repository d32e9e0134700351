/** One workspace: its state and how it got there, its inputs, its server's log, and its end. */
import * as api from "@cairn/api/operations";
import type { Workspace } from "@cairn/api/types";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type LoaderFunctionArgs, useNavigate, useParams } from "react-router";
import { InputList } from "~/components/InputList";
import { InputPicker, type PickedInput } from "~/components/InputPicker";
import { ServerLog, StartProgress } from "~/components/StartProgress";
import { useWorkspaceAction } from "~/components/useWorkspaceAction";
import { WorkspaceActions } from "~/components/WorkspaceActions";
import { share } from "~/lib/machine";
import { prefetch, usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { paths } from "~/paths";
import { meQuery } from "~/queries/account";
import { machineTypesQuery, projectQuery, workspaceQuery } from "~/queries/projects";
import { Button, ButtonLink } from "~/ui/Button";
import { Confirm } from "~/ui/Confirm";
import { Dialog } from "~/ui/Dialog";
import { ErrorNotice, Notice } from "~/ui/Notice";
import { Card, Facts, Page, Section } from "~/ui/Page";
import { WorkspaceBadge } from "~/ui/State";
import { Ago, Lasting } from "~/ui/Time";
import { toast } from "~/ui/Toasts";

export async function loader({ request, params }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  void prefetch(machineTypesQuery).catch(() => undefined);
  await Promise.all([
    prefetch(workspaceQuery(params.id ?? "")),
    prefetch(projectQuery(params.project ?? "")),
  ]);
  return null;
}

function Happening({ workspace }: { workspace: Workspace }) {
  const action = useWorkspaceAction(workspace);
  if (workspace.state === "starting") {
    return (
      <Card className="p-4">
        <StartProgress workspace={workspace} />
      </Card>
    );
  }
  if (workspace.state === "error") {
    return (
      <div className="grid gap-3">
        <Notice
          tone="bad"
          title="The server did not keep running"
          action={
            <Button
              size="sm"
              icon="restart"
              busy={action.pending !== null}
              onClick={() => action.run({ action: "start" })}
            >
              Try again
            </Button>
          }
        >
          <p>{workspace.message ?? "It ended without saying why."}</p>
          <p className="text-sm text-muted">Your files are safe. The last lines of its log may say more.</p>
        </Notice>
        <ServerLog workspace={workspace} lines={20} />
      </div>
    );
  }
  return null;
}

function Inputs({ workspace, mayEdit }: { workspace: Workspace; mayEdit: boolean }) {
  const client = useQueryClient();
  const [picking, setPicking] = useState(false);
  const refresh = () => client.invalidateQueries({ queryKey: workspaceQuery(workspace.id).queryKey });
  const attach = useMutation({
    mutationFn: (input: PickedInput) => api.attachInput(workspace.id, input.name, input.ref),
    onSuccess: async (_, input) => {
      setPicking(false);
      await refresh();
      toast(`Attached ${input.ref} as inputs/${input.name}`);
    },
  });
  const detach = useMutation({
    mutationFn: (name: string) => api.detachInput(workspace.id, name),
    onSuccess: refresh,
  });
  const isUp = workspace.state === "running" || workspace.state === "starting";
  return (
    <Section
      title="Inputs"
      about={
        isUp
          ? "Changes appear in the server after its next start."
          : "Read-only folders that the server sees."
      }
      actions={
        mayEdit ? (
          <Button size="sm" icon="plus" onClick={() => setPicking(true)}>
            Attach outputs
          </Button>
        ) : null
      }
    >
      {workspace.inputs.length > 0 ? (
        <Card>
          <InputList
            inputs={workspace.inputs}
            project={workspace.project}
            action={input =>
              mayEdit ? (
                <Button
                  look="quiet"
                  size="sm"
                  busy={detach.isPending && detach.variables === input.name}
                  onClick={() => detach.mutate(input.name)}
                >
                  Detach
                </Button>
              ) : null
            }
          />
        </Card>
      ) : (
        <p className="text-muted">None. Attach the outputs of a job to use its model or data here.</p>
      )}
      <ErrorNotice error={detach.error} />
      {picking ? (
        <Dialog title={`Attach outputs to ${workspace.name}`} onClose={() => setPicking(false)}>
          <div className="grid gap-3">
            <InputPicker
              project={workspace.project}
              verb="Attach"
              busy={attach.isPending}
              onPick={input => attach.mutate(input)}
            />
            <ErrorNotice error={attach.error} />
          </div>
        </Dialog>
      ) : null}
    </Section>
  );
}

function Delete({ workspace }: { workspace: Workspace }) {
  const [asking, setAsking] = useState(false);
  const client = useQueryClient();
  const navigate = useNavigate();
  return (
    <>
      <Button look="danger" icon="trash" onClick={() => setAsking(true)}>
        Delete
      </Button>
      {asking ? (
        <Confirm
          title={`Delete ${workspace.name}?`}
          verb="Delete workspace"
          danger
          run={() => api.deleteWorkspace(workspace.id)}
          onClose={() => setAsking(false)}
          onDone={async () => {
            await client.invalidateQueries({ queryKey: ["workspaces"] });
            await navigate(paths.workspaces(workspace.project));
            toast(`Deleted ${workspace.name}`);
          }}
        >
          <p>
            Its home is gone for good: every notebook and file in it
            {workspace.state === "running" ? ", and the server that now runs" : ""}.
          </p>
          <p className="text-muted">Jobs that ran from it stay, with their code, logs and outputs.</p>
        </Confirm>
      ) : null}
    </>
  );
}

export function Component() {
  const { id = "" } = useParams();
  const workspace = usePrefetched(workspaceQuery(id));
  const me = usePrefetched(meQuery);
  const project = usePrefetched(projectQuery(workspace.project));
  const type = useQuery(machineTypesQuery).data?.items.find(each => each.name === workspace.machine);
  const mine = workspace.user_id === me.id;
  const mayManage = mine || me.admin || project.role === "owner";
  return (
    <Page
      title={
        <div className="flex min-w-0 items-center gap-3">
          <h1 className="min-w-0 truncate text-xl font-semibold">{workspace.name}</h1>
          <WorkspaceBadge state={workspace.state} />
        </div>
      }
      tab={workspace.name}
      actions={mayManage ? <WorkspaceActions workspace={workspace} mine={mine} /> : null}
    >
      <Happening workspace={workspace} />
      <Card className="p-4">
        <Facts
          facts={[
            [
              "Machine",
              <span key="m" title={type ? share(type) : undefined}>
                {workspace.machine}
              </span>,
            ],
            ["Environment", workspace.environment],
            ["Of", mine ? `${workspace.user} (you)` : workspace.user],
            [
              "Running for",
              workspace.state === "running" ? <Lasting key="r" from={workspace.started_ms} /> : "not running",
            ],
            [
              "Last used",
              workspace.last_activity_ms ? <Ago key="l" ms={workspace.last_activity_ms} /> : "never",
            ],
            ["Created", <Ago key="c" ms={workspace.created_ms} />],
          ]}
        />
      </Card>
      <Inputs workspace={workspace} mayEdit={mine} />
      {mine ? (
        <Section
          title="Run as a job"
          about="A snapshot of the project folder runs on its own and is kept, while you go on here."
        >
          <div>
            <ButtonLink icon="play" to={paths.newJob(workspace.project, { workspace: workspace.id })}>
              New job from this workspace
            </ButtonLink>
          </div>
        </Section>
      ) : null}
      {workspace.state === "running" || workspace.state === "stopped" ? (
        <Section title="Server log">
          <ServerLog workspace={workspace} lines={40} />
        </Section>
      ) : null}
      {mayManage ? (
        <Section title="Delete" about="Deletes the workspace with all files in its home.">
          <div>
            <Delete workspace={workspace} />
          </div>
        </Section>
      ) : null}
    </Page>
  );
}
