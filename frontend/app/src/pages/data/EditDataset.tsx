/** Changes what is said of a dataset, and who may read it. */
import * as api from "@cairn/api/operations";
import type { Dataset } from "@cairn/api/types";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { useDraft } from "~/hooks/useDraft";
import { toTags } from "~/lib/dataset";
import { paths } from "~/paths";
import { datasetQuery } from "~/queries/datasets";
import { Button } from "~/ui/Button";
import { FormDialog } from "~/ui/FormDialog";
import { toast } from "~/ui/Toasts";
import { DatasetFields, type Form, formOf } from "./DatasetForm";

/** Only what was changed since the form was opened: what others changed meanwhile stays, and who may not change who reads it must not send that. */
export function changes(before: Form, form: Form): api.UpdateDataset {
  return {
    ...(form.name === before.name ? {} : { name: form.name }),
    ...(form.description === before.description ? {} : { description: form.description }),
    ...(form.tags === before.tags ? {} : { tags: toTags(form.tags) }),
    ...(form.visibility === before.visibility ? {} : { visibility: form.visibility }),
  };
}

interface Props {
  dataset: Dataset;
  mayOpen: boolean;
  onClose: () => void;
}

export function EditDataset({ dataset, mayOpen, onClose }: Props) {
  const [before] = useState(() => formOf(dataset));
  const draft = useDraft<Partial<Form>>(`dataset-edit:${dataset.id}`, {});
  const form = { ...before, ...draft.value };
  const client = useQueryClient();
  const navigate = useNavigate();
  const save = useMutation({
    mutationFn: () => api.updateDataset(dataset.project, dataset.name, changes(before, form)),
    onSuccess: async saved => {
      client.setQueryData(datasetQuery(saved.project, saved.name).queryKey, saved);
      await client.invalidateQueries({ queryKey: ["datasets"] });
      draft.clear();
      onClose();
      toast("Saved");
      if (saved.name !== dataset.name)
        await navigate(paths.dataset(saved.project, saved.name), { replace: true });
    },
  });
  return (
    <FormDialog title={`Edit ${dataset.name}`} verb="Save" action={save} onClose={onClose}>
      <DatasetFields
        form={form}
        change={draft.change}
        mayOpen={mayOpen}
        nameHint="It is part of references: old ones stop to work."
      />
      <Button size="sm" className="justify-self-start" onClick={draft.clear}>
        As it was
      </Button>
    </FormDialog>
  );
}
