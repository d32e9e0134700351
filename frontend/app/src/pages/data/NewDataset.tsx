/** Makes a dataset and goes there, to fill it. */
import * as api from "@cairn/api/operations";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { useDraft } from "~/hooks/useDraft";
import { toTags } from "~/lib/dataset";
import { paths } from "~/paths";
import { datasetQuery, datasetsQuery } from "~/queries/datasets";
import { FormDialog } from "~/ui/FormDialog";
import { DatasetFields, EMPTY } from "./DatasetForm";

interface Props {
  project: string;
  mayOpen: boolean;
  onClose: () => void;
}

export function NewDataset({ project, mayOpen, onClose }: Props) {
  const draft = useDraft(`dataset:${project}`, EMPTY);
  const client = useQueryClient();
  const navigate = useNavigate();
  const create = useMutation({
    mutationFn: () => api.createDataset(project, { ...draft.value, tags: toTags(draft.value.tags) }),
    onSuccess: async made => {
      draft.clear();
      client.setQueryData(datasetQuery(project, made.name).queryKey, made);
      await client.invalidateQueries({ queryKey: datasetsQuery(project).queryKey });
      await navigate(paths.dataset(project, made.name));
    },
  });
  return (
    <FormDialog title="New dataset" verb="Create dataset" action={create} onClose={onClose}>
      <DatasetFields form={draft.value} change={draft.change} mayOpen={mayOpen} />
    </FormDialog>
  );
}
