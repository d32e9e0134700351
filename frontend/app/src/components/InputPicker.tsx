/** Picks a job's outputs to read: from the latest complete jobs, or by writing the reference. */
import type { Job } from "@cairn/api/types";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { bytes, plural } from "~/lib/format";
import { hasOutputs } from "~/lib/job";
import { latestJobsQuery, projectJobsQuery } from "~/queries/jobs";
import { Button } from "~/ui/Button";
import { TextField } from "~/ui/Field";
import { JobBadge } from "~/ui/State";
import { Ago } from "~/ui/Time";
import { jobName } from "./JobTitle";
import { best } from "./match";

export interface PickedInput {
  name: string;
  ref: string;
}

/** The folder's name that a job's outputs get when nobody says otherwise. */
export function inputName(job: Pick<Job, "name" | "number" | "notebook">): string {
  const base = job.name || job.notebook?.replace(/\.ipynb$/, "") || `job-${job.number}`;
  const name = base
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+|-+$/g, "");
  return name.slice(0, 40) || `job-${job.number}`;
}

interface Props {
  project: string;
  verb: string;
  busy?: boolean;
  onPick: (input: PickedInput) => void;
}

export function InputPicker({ project, verb, busy, onPick }: Props) {
  const client = useQueryClient();
  const latest = useQuery(latestJobsQuery).data?.items ?? [];
  const ofProject = useQuery(projectJobsQuery(project, client)).data ?? [];
  const [query, setQuery] = useState("");
  const [picked, setPicked] = useState<PickedInput | null>(null);
  const others = latest.filter(job => job.project !== project);
  const jobs = [...ofProject, ...others].filter(hasOutputs);
  const found = best(query, jobs, job => `${job.project}#${job.number} ${jobName(job)}`, 8);
  const typed = /#\d+/.test(query) ? query.trim() : null;
  const choose = (job: Job) => setPicked({ name: inputName(job), ref: `${job.project}#${job.number}` });
  return (
    <div className="grid gap-3">
      <TextField
        label="Outputs of"
        placeholder="Search jobs, or write a reference such as #12 or #12/model"
        value={query}
        onChange={event => setQuery(event.target.value)}
      />
      <fieldset className="grid gap-1">
        <legend className="sr-only">Jobs with outputs</legend>
        {found.map(job => (
          <label
            key={job.id}
            className="flex items-center gap-3 rounded border border-line px-3 py-2 hover:bg-hover has-checked:border-accent has-checked:bg-accent-soft"
          >
            <input
              type="radio"
              name="input-job"
              className="accent-accent"
              checked={picked?.ref === `${job.project}#${job.number}`}
              onChange={() => choose(job)}
              aria-label={`#${job.number} ${jobName(job)}`}
            />
            <span className="min-w-0 flex-1">
              <span className="block truncate">
                <span className="text-muted">#{job.number}</span> {jobName(job)}
              </span>
              <span className="block truncate text-sm text-muted">
                {plural(job.outputs?.files ?? 0, "file")}, {bytes(job.outputs?.bytes ?? 0)} ·{" "}
                <Ago ms={job.created_ms} />
              </span>
            </span>
            <JobBadge state={job.state} />
          </label>
        ))}
        {found.length === 0 && !typed ? (
          <p className="text-muted">No job with outputs is called that.</p>
        ) : null}
        {typed && picked?.ref !== typed ? (
          <Button
            className="justify-start"
            onClick={() =>
              setPicked({
                name: inputName({ name: "", number: Number(typed.match(/#(\d+)/)?.[1]), notebook: null }),
                ref: typed,
              })
            }
          >
            Use the reference {typed}
          </Button>
        ) : null}
      </fieldset>
      {picked ? (
        <div className="grid gap-3 rounded border border-line bg-sunken p-3 sm:grid-cols-[1fr_auto] sm:items-end">
          <TextField
            label="Folder name"
            value={picked.name}
            onChange={event => setPicked({ ...picked, name: event.target.value })}
          />
          <Button look="primary" busy={busy ?? false} disabled={!picked.name} onClick={() => onPick(picked)}>
            {verb}
          </Button>
          <p className="text-sm text-muted sm:col-span-2">
            Read-only at <code>/cairn/inputs/{picked.name || "…"}</code>
          </p>
        </div>
      ) : null}
    </div>
  );
}
