/** The inputs of a workspace: what is mounted, attach, detach. */
import * as api from "@cairn/api/operations";
import type { Workspace } from "@cairn/api/types";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { InputList } from "~/components/InputList";
import { InputPicker, type PickedInput } from "~/components/InputPicker";
import { isUp } from "~/components/RestartOn";
import { workspaceQuery } from "~/queries/projects";
import { Button } from "~/ui/Button";
import { Dialog } from "~/ui/Dialog";
import { ErrorNotice } from "~/ui/Notice";
import { Card, Section } from "~/ui/Page";
import { toast } from "~/ui/Toasts";

export function WorkspaceInputs({ workspace, mayEdit }: { workspace: Workspace; mayEdit: boolean }) {
  const client = useQueryClient();
  const [picking, setPicking] = useState(false);
  const refresh = () => client.invalidateQueries({ queryKey: workspaceQuery(workspace.id).queryKey });
  const attach = useMutation({
    mutationFn: (input: PickedInput) =>
      api.attachInput(workspace.id, input.name, input.ref, input.allow_damaged),
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
  return (
    <Section
      title="Inputs"
      about={
        isUp(workspace)
          ? "What you attach appears at once; what the server started with changes at its next start."
          : "Read-only folders that the server sees."
      }
      actions={
        mayEdit ? (
          <Button size="sm" icon="plus" onClick={() => setPicking(true)}>
            Attach data or outputs
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
        <p className="text-muted">None. Attach a dataset, or the outputs of a job, to use them here.</p>
      )}
      <ErrorNotice error={detach.error} />
      {picking ? (
        <Dialog title={`Attach to ${workspace.name}`} onClose={() => setPicking(false)}>
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
