/** Creates a project and goes there. */
import * as api from "@cairn/api/operations";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { useDraft } from "~/hooks/useDraft";
import { paths } from "~/paths";
import { TextField } from "~/ui/Field";
import { FormDialog } from "~/ui/FormDialog";
import { NameField } from "./NameField";

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
    <FormDialog title="New project" verb="Create project" action={create} onClose={onClose}>
      <NameField value={draft.value.name} onChange={event => draft.change({ name: event.target.value })} />
      <TextField
        label="Description"
        optional
        value={draft.value.description}
        onChange={event => draft.change({ description: event.target.value })}
      />
    </FormDialog>
  );
}
