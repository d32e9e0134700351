/** A job that waits at a cell that failed: what happened, until when it waits, and how it goes on. */
import * as api from "@cairn/api/operations";
import type { Job } from "@cairn/api/types";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ChangeEvent, useRef } from "react";
import { useNow } from "~/lib/clock";
import { exactTime, roughly } from "~/lib/format";
import { type Hold, heldAt, MOST_BYTES, toNotebook } from "~/lib/hold";
import { micros, perHour } from "~/lib/money";
import { usePrefetched } from "~/lib/query";
import { jobQuery } from "~/queries/jobs";
import { projectQuery } from "~/queries/projects";
import { Button } from "~/ui/Button";
import { ErrorNotice, Notice } from "~/ui/Notice";

async function read(file: File): Promise<Record<string, unknown>> {
  if (file.size > MOST_BYTES)
    throw new Error("This notebook is larger than 64 MiB: clear its outputs first.");
  return toNotebook(await file.text());
}

export function Held({ job }: { job: Job }) {
  return job.hold ? <Waits job={job} hold={job.hold} /> : null;
}

function Waits({ job, hold }: { job: Job; hold: Hold }) {
  const now = useNow(5000);
  const price = micros(job.price_per_hour);
  return (
    <div className="grid gap-2">
      <Notice tone="warn" title={`Held at ${heldAt(hold)}: ${hold.title}`}>
        <p className="whitespace-pre-wrap">{hold.message}</p>
        <p className="text-muted">
          The kernel is kept with everything in it until{" "}
          <time dateTime={new Date(hold.until_ms).toISOString()}>{exactTime(hold.until_ms)}</time>, for{" "}
          {roughly(hold.until_ms - now)} more. So is the machine
          {price === null ? "" : `, at ${perHour(price)}`}: it is paid for meanwhile.
        </p>
        {hold.refused ? (
          <p className="text-bad">The last notebook could not be used: {hold.refused}</p>
        ) : null}
      </Notice>
      <Answers job={job} hold={hold} />
    </div>
  );
}

function Answers({ job, hold }: { job: Job; hold: Hold }) {
  const client = useQueryClient();
  const chooser = useRef<HTMLInputElement>(null);
  const { role } = usePrefetched(projectQuery(job.project));
  const resume = useMutation({
    mutationFn: async (file: File | null) =>
      api.resumeJob(job.project, job.number, file ? await read(file) : undefined),
    onSuccess: () => client.invalidateQueries({ queryKey: jobQuery(job.project, job.number).queryKey }),
  });
  if (role === "viewer" || job.state === "stopping") return null;
  const choose = (event: ChangeEvent<HTMLInputElement>) => {
    const file = event.target.files?.[0];
    // Choosing the same file again, once it is corrected, is a choice as well.
    event.target.value = "";
    if (file) resume.mutate(file);
  };
  const busy = resume.isPending || hold.state === "answered";
  return (
    <>
      <div className="flex flex-wrap gap-2">
        <Button look="primary" icon="file" busy={busy} onClick={() => chooser.current?.click()}>
          Resume with a corrected notebook
        </Button>
        <Button icon="play" disabled={busy} onClick={() => resume.mutate(null)}>
          Resume
        </Button>
        <input
          ref={chooser}
          type="file"
          accept=".ipynb,application/json"
          aria-label="The corrected notebook"
          className="hidden"
          onChange={choose}
        />
      </div>
      <p className="text-sm text-muted">
        Resume runs the cell again as it is. A corrected notebook runs from this cell on; the cells before it
        must be as they were.
      </p>
      <ErrorNotice error={resume.error} />
    </>
  );
}
