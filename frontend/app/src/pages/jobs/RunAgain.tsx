/** Runs a job's snapshot again, with other parameters if wanted. */
import * as api from "@cairn/api/operations";
import type { Job } from "@cairn/api/types";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { ParameterRows } from "~/forms/ParameterRows";
import { type Row, rowError, toParameters, toRows } from "~/forms/parameters";
import { useDraft } from "~/hooks/useDraft";
import { paths } from "~/paths";
import { latestJobsQuery } from "~/queries/jobs";
import { Button } from "~/ui/Button";
import { Dialog } from "~/ui/Dialog";
import { ErrorNotice } from "~/ui/Notice";
import { toast } from "~/ui/Toasts";

export function RunAgain({ job, onClose }: { job: Job; onClose: () => void }) {
  const { value, change, clear } = useDraft<{ rows: Row[]; allowDamaged?: boolean }>(`again.${job.id}`, {
    rows: toRows(job.parameters),
  });
  const client = useQueryClient();
  const navigate = useNavigate();
  const run = useMutation({
    mutationFn: () => api.rerunJob(job.project, job.number, toParameters(value.rows), value.allowDamaged),
    onSuccess: async next => {
      clear();
      onClose();
      void client.invalidateQueries({ queryKey: latestJobsQuery.queryKey });
      await navigate(paths.job(next.project, next.number));
      toast(`Started #${next.number} from #${job.number}`);
    },
  });
  const isWrong = value.rows.some(row => rowError(row, value.rows));
  return (
    <Dialog
      title={`Run #${job.number} again`}
      wide
      onClose={onClose}
      footer={
        <>
          <Button onClick={clear}>As it was</Button>
          <Button
            look="primary"
            icon="play"
            busy={run.isPending}
            disabled={isWrong}
            onClick={() => run.mutate()}
          >
            Run
          </Button>
        </>
      }
    >
      <div className="grid gap-4">
        <p className="text-muted">
          The same code, environment, machine and inputs make a new job. Change the parameters if you like.
        </p>
        <section className="grid gap-2">
          <h3 className="text-sm font-medium">Parameters</h3>
          <ParameterRows rows={value.rows} onChange={rows => change({ rows })} />
        </section>
        {job.inputs.length > 0 ? (
          <label className="flex items-start gap-2 text-sm">
            <input
              type="checkbox"
              className="mt-0.5 accent-accent"
              checked={value.allowDamaged ?? false}
              onChange={event => change({ allowDamaged: event.target.checked })}
            />
            Run it also where files of its inputs are damaged, without these.
          </label>
        ) : null}
        <ErrorNotice error={run.error} />
      </div>
    </Dialog>
  );
}
