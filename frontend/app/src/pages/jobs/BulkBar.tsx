/** What can be done with the selected jobs at once. */
import * as api from "@cairn/api/operations";
import type { Job } from "@cairn/api/types";
import { useMutation } from "@tanstack/react-query";
import { plural } from "~/lib/format";
import { isOver } from "~/lib/job";
import { Button } from "~/ui/Button";
import { ErrorNotice } from "~/ui/Notice";
import { toast } from "~/ui/Toasts";

export function BulkBar({ jobs, onClear }: { jobs: Job[]; onClear: () => void }) {
  const stoppable = jobs.filter(job => !isOver(job.state) && job.state !== "stopping");
  const stop = useMutation({
    mutationFn: async () => {
      const results = await Promise.allSettled(stoppable.map(job => api.stopJob(job.project, job.number)));
      const failed = results.find(result => result.status === "rejected");
      if (failed) throw failed.reason;
    },
    onSuccess: () => {
      toast(`Stopping ${plural(stoppable.length, "job")}`);
      onClear();
    },
  });
  return (
    <section className="grid gap-2" aria-label="Selected jobs">
      <div className="rise flex flex-wrap items-center gap-2 rounded-lg border border-accent/40 bg-accent-soft px-3 py-2">
        <span className="mr-auto font-medium">{plural(jobs.length, "job")} selected</span>
        <Button
          size="sm"
          icon="stop"
          busy={stop.isPending}
          disabled={stoppable.length === 0}
          onClick={() => stop.mutate()}
        >
          {stoppable.length > 0 ? `Stop ${stoppable.length}` : "None runs"}
        </Button>
        <Button size="sm" look="quiet" onClick={onClear}>
          Clear
        </Button>
      </div>
      <ErrorNotice error={stop.error} />
    </section>
  );
}
