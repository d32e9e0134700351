/** What a job was given and what came of it, on one page. */
import type { Job, Json } from "@cairn/api/types";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { InputList } from "~/components/InputList";
import { runs } from "~/components/JobTitle";
import { useJob } from "~/hooks/useJob";
import { bytes, plural, value } from "~/lib/format";
import { micros, perHour } from "~/lib/money";
import { queryClient } from "~/lib/query";
import { paths } from "~/paths";
import { projectJobsQuery } from "~/queries/jobs";
import { myWorkspacesQuery } from "~/queries/projects";
import { ButtonLink } from "~/ui/Button";
import { CopyButton } from "~/ui/Copy";
import { Notice } from "~/ui/Notice";
import { Card, Facts, Section } from "~/ui/Page";
import { Ago } from "~/ui/Time";

function Values({ values, empty }: { values: Record<string, Json>; empty: string }) {
  const entries = Object.entries(values);
  if (entries.length === 0) return <p className="text-muted">{empty}</p>;
  return (
    <Card>
      <dl className="divide-y divide-line">
        {entries.map(([key, each]) => (
          <div key={key} className="flex items-baseline justify-between gap-4 px-4 py-1.5">
            <dt className="min-w-0 truncate text-muted" title={key}>
              {key}
            </dt>
            <dd
              className="max-w-[60%] truncate font-mono text-sm"
              title={typeof each === "string" ? each : JSON.stringify(each)}
            >
              {value(each)}
            </dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}

function ending(job: Job): string {
  if (job.message) return job.message;
  if (job.signal) return `It was ended by signal ${job.signal}.`;
  if (job.exit_code !== null) return `It exited with status ${job.exit_code}.`;
  return "It ended without saying why.";
}

function Failure({ job }: { job: Job }) {
  if (job.state !== "error") return null;
  return (
    <Notice
      tone="bad"
      title="This job failed"
      action={
        <ButtonLink size="sm" to={paths.job(job.project, job.number, "log")}>
          Read the log
        </ButtonLink>
      }
    >
      <p className="whitespace-pre-wrap">{ending(job)}</p>
      {job.message && job.exit_code !== null ? (
        <p className="text-sm text-muted">Exit status {job.exit_code}</p>
      ) : null}
    </Notice>
  );
}

function Origin({ job }: { job: Job }) {
  const workspace = useQuery(myWorkspacesQuery).data?.items.find(each => each.id === job.workspace_id);
  const known = useQuery({
    ...projectJobsQuery(job.project, queryClient),
    enabled: job.rerun_of !== null,
  }).data;
  const before = known?.find(each => each.id === job.rerun_of);
  const link = "rounded underline decoration-line-strong underline-offset-2 hover:decoration-current";
  if (before) {
    return (
      <Link className={link} to={paths.job(job.project, before.number)}>
        #{before.number} again
      </Link>
    );
  }
  if (workspace) {
    return (
      <Link className={link} to={paths.workspace(job.project, workspace.id)}>
        {workspace.name}
      </Link>
    );
  }
  return <>{job.workspace_id ? "a workspace" : "an uploaded folder"}</>;
}

/** What an hour of it costs. */
function price(job: Job): [string, string][] {
  const amount = micros(job.price_per_hour);
  return amount === null ? [] : [["Price", perHour(amount)]];
}

export function Component() {
  const job = useJob();
  return (
    <div className="grid gap-6">
      <Failure job={job} />
      <Card className="grid gap-4 p-4">
        <div className="flex items-center gap-2 rounded bg-sunken py-1 pr-1 pl-3">
          <code className="min-w-0 flex-1 whitespace-pre-wrap wrap-anywhere">{runs(job)}</code>
          <CopyButton text={runs(job)} />
        </div>
        <Facts
          facts={[
            ["From", <Origin key="from" job={job} />],
            ["Environment", job.environment],
            [
              "Machine",
              job.machine_name && job.machine_name !== job.machine
                ? `${job.machine} on ${job.machine_name}`
                : job.machine,
            ],
            ...(job.devices?.length ? [["Devices", job.devices.join(", ")] as [string, string]] : []),
            ...price(job),
            ["Created", <Ago key="c" ms={job.created_ms} />],
            ["Started", job.started_ms ? <Ago key="s" ms={job.started_ms} /> : "not yet"],
            ["Attempt", job.attempt || "none yet"],
          ]}
        />
      </Card>
      <div className="grid gap-6 lg:grid-cols-2">
        <Section title="Parameters">
          <Values values={job.parameters} empty="None were given." />
        </Section>
        <Section
          title="Metadata"
          actions={
            <ButtonLink size="sm" look="quiet" icon="chart" to={paths.job(job.project, job.number, "charts")}>
              Charts
            </ButtonLink>
          }
        >
          <Values
            values={job.metadata}
            empty="None yet. Every line of JSON that a job prints becomes metadata."
          />
        </Section>
        <Section title="Inputs">
          {job.inputs.length > 0 ? (
            <Card>
              <InputList inputs={job.inputs} project={job.project} />
            </Card>
          ) : (
            <p className="text-muted">None were attached.</p>
          )}
        </Section>
        <Section
          title="Outputs"
          actions={
            <ButtonLink
              size="sm"
              look="quiet"
              icon="folder"
              to={paths.job(job.project, job.number, "outputs")}
            >
              Files
            </ButtonLink>
          }
        >
          {job.outputs ? (
            <Card className="p-4">
              <p>
                {plural(job.outputs.files, "file")}, {bytes(job.outputs.bytes)}
              </p>
              <p className="flex items-center gap-1 text-sm text-muted">
                <span className="min-w-0 truncate font-mono" title="Content digest">
                  {job.outputs.content_digest}
                </span>
                <CopyButton text={job.outputs.content_digest} label="Copy the content digest" />
              </p>
              {job.outputs.skipped.length > 0 ? (
                <p className="text-sm text-warn">{plural(job.outputs.skipped.length, "file")} left out</p>
              ) : null}
            </Card>
          ) : (
            <p className="text-muted">They are kept when the job ends, however it ends.</p>
          )}
        </Section>
      </div>
    </div>
  );
}
