/** Creates a project and goes there. */
import * as api from "@cairn/api/operations";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { useDraft } from "~/hooks/useDraft";
import { paths } from "~/paths";
import { Button } from "~/ui/Button";
import { Dialog } from "~/ui/Dialog";
import { TextField } from "~/ui/Field";
import { ErrorNotice } from "~/ui/Notice";

export function NewProject({ onClose }: { onClose: () => void }) {
  const draft = useDraft("project", { name: "", description: "" });
  const client = useQueryClient();
  const navigate = useNavigate();
  const create = useMutation({
    mutationFn: () => api.createProject(draft.value),
    onSuccess: async project => {
      draft.clear();
      await client.invalidateQueries({ queryKey: ["projects"] });
      onClose();
      await navigate(paths.workspaces(project.name));
    },
  });
  return (
    <Dialog
      title="New project"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" form="new-project" busy={create.isPending}>
            Create project
          </Button>
        </>
      }
    >
      <form
        id="new-project"
        className="grid gap-4"
        onSubmit={event => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <TextField
          label="Name"
          required
          pattern="[a-z0-9][a-z0-9._\-]{0,62}"
          title="Lower-case letters, digits, dots, underscores and hyphens"
          hint="Lower-case letters, digits, dots, underscores and hyphens."
          value={draft.value.name}
          onChange={event => draft.change({ name: event.target.value })}
        />
        <TextField
          label="Description"
          optional
          value={draft.value.description}
          onChange={event => draft.change({ description: event.target.value })}
        />
        <ErrorNotice error={create.error} />
      </form>
    </Dialog>
  );
}
