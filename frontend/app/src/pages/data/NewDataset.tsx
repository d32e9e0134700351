/** Makes a dataset and goes there, to fill it. */
import * as api from "@cairn/api/operations";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { useDraft } from "~/hooks/useDraft";
import { toTags } from "~/lib/dataset";
import { paths } from "~/paths";
import { datasetQuery, datasetsQuery } from "~/queries/datasets";
import { Button } from "~/ui/Button";
import { Dialog } from "~/ui/Dialog";
import { ErrorNotice } from "~/ui/Notice";
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
    <Dialog
      title="New dataset"
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" form="new-dataset" busy={create.isPending}>
            Create dataset
          </Button>
        </>
      }
    >
      <form
        id="new-dataset"
        className="grid gap-4"
        onSubmit={event => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <DatasetFields form={draft.value} change={draft.change} mayOpen={mayOpen} />
        <ErrorNotice error={create.error} />
      </form>
    </Dialog>
  );
}
