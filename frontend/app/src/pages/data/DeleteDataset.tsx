/** Deletes a dataset, once its name was written. */
import * as api from "@cairn/api/operations";
import type { Dataset } from "@cairn/api/types";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { paths } from "~/paths";
import { datasetsQuery, forgetDataset } from "~/queries/datasets";
import { Confirm } from "~/ui/Confirm";
import { TextField } from "~/ui/Field";
import { toast } from "~/ui/Toasts";

export function DeleteDataset({ dataset, onClose }: { dataset: Dataset; onClose: () => void }) {
  const [typed, setTyped] = useState("");
  const client = useQueryClient();
  const navigate = useNavigate();
  const { project, name } = dataset;
  return (
    <Confirm
      title={`Delete ${name}?`}
      verb="Delete dataset"
      danger
      run={() =>
        typed === name
          ? api.deleteDataset(project, name)
          : Promise.reject(new Error(`Write ${name} to confirm.`))
      }
      onClose={onClose}
      onDone={async () => {
        await navigate(paths.data(project));
        forgetDataset(client, project, name);
        await client.invalidateQueries({ queryKey: datasetsQuery(project).queryKey });
        toast(`Deleted ${name}`);
      }}
    >
      <p>
        All its versions and aliases are gone for good, and references to them stop to work. What was made of
        it, and jobs and workspaces that use it, keep its files; only files that nothing uses any more give
        space back.
      </p>
      <TextField
        label={`Write ${name} to confirm`}
        value={typed}
        onChange={event => setTyped(event.target.value)}
      />
    </Confirm>
  );
}
