/** Picks what to read: a version of a dataset, the outputs of a job, or what a written reference names. */
import type { Dataset, Job } from "@cairn/api/types";
import { type UseQueryResult, useQuery, useQueryClient } from "@tanstack/react-query";
import { type KeyboardEvent, type ReactNode, useId, useState } from "react";
import { cx } from "~/lib/class";
import { damageOf } from "~/lib/dataset";
import { bytes, plural } from "~/lib/format";
import { hasOutputs, shownState } from "~/lib/job";
import { parseReference } from "~/lib/reference";
import { datasetsQuery } from "~/queries/datasets";
import { latestJobsQuery, projectJobsQuery } from "~/queries/jobs";
import { Button } from "~/ui/Button";
import { Chip } from "~/ui/Chip";
import { TextField } from "~/ui/Field";
import { ErrorNotice } from "~/ui/Notice";
import { Loading } from "~/ui/Skeleton";
import { JobBadge } from "~/ui/State";
import { Ago } from "~/ui/Time";
import { jobName } from "./JobTitle";
import { best } from "./match";

export interface PickedInput {
  name: string;
  ref: string;
  /** Whether it is taken without what is damaged of it. */
  allow_damaged?: boolean;
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

/** What one can pick of datasets: the newest version of each, and what its aliases name. Pure. */
export interface VersionChoice extends PickedInput {
  about: string;
  /** Why nothing new can use it, or only what is whole of it. */
  damage: string | null;
  isBroken: boolean;
  /** Whether this page knows what checks have found: of the newest version only. */
  isKnown: boolean;
}
export function versionChoices(datasets: Dataset[]): VersionChoice[] {
  return datasets.flatMap(({ name, latest, aliases }) => {
    if (!latest) return [];
    const about = `the newest version, ${plural(latest.files, "file")}, ${bytes(latest.bytes)}`;
    const damage = damageOf(latest);
    const isBroken = latest.integrity === "broken";
    return [
      { name, ref: `${name}:${latest.number}`, about, damage, isBroken, isKnown: true },
      ...aliases.map(alias => ({
        name,
        ref: `${name}:${alias.name}`,
        about: `names version ${alias.number} now`,
        damage: alias.number === latest.number ? damage : null,
        isBroken: alias.number === latest.number && isBroken,
        isKnown: alias.number === latest.number,
      })),
    ];
  });
}

/** The folder's name for what a written reference names. */
function nameOf(ref: string, project: string): string | null {
  const reference = parseReference(ref, project);
  if (!reference) return null;
  if (reference.kind === "version") return reference.dataset;
  return inputName({ name: "", number: reference.number, notebook: null });
}

interface ChoiceProps {
  label: string;
  isPicked: boolean;
  onPick: () => void;
  about: ReactNode;
  title: ReactNode;
  badge?: ReactNode;
  isDisabled?: boolean;
}

/** Enter does not send the form that the picker may be part of. */
const stay = (event: KeyboardEvent) => {
  if (event.key === "Enter") event.preventDefault();
};

function Choice({ label, isPicked, onPick, title, about, badge, isDisabled }: ChoiceProps) {
  const id = useId();
  return (
    <label className="flex items-center gap-3 rounded border border-line px-3 py-2 not-has-disabled:hover:bg-hover has-checked:border-accent has-checked:bg-accent-soft has-disabled:bg-sunken has-disabled:text-muted">
      <input
        type="radio"
        name="input"
        className="accent-accent"
        checked={isPicked}
        disabled={isDisabled}
        onChange={onPick}
        onKeyDown={stay}
        aria-label={label}
        aria-describedby={id}
      />
      <span className="min-w-0 flex-1">
        <span className="block truncate">{title}</span>
        <span id={id} className={cx("block text-sm text-muted", !isDisabled && "truncate")}>
          {about}
        </span>
      </span>
      {badge}
    </label>
  );
}

interface ChoicesProps {
  legend: string;
  /** What is to be listed comes of these. */
  queries: Pick<UseQueryResult, "isPending" | "error" | "refetch">[];
  count: number;
  children: ReactNode;
}

/** A list of choices; also while it is on its way, and where it did not come. */
function Choices({ legend, queries, count, children }: ChoicesProps) {
  const failed = queries.find(query => query.error);
  const isPending = queries.some(query => query.isPending);
  if (count === 0 && !isPending && !failed) return null;
  return (
    <fieldset className="grid min-w-0 grid-cols-[minmax(0,1fr)] gap-1">
      <legend className="mb-1 text-sm text-muted">{legend}</legend>
      {children}
      {isPending ? <Loading label={`Listing: ${legend}`} /> : null}
      <ErrorNotice
        error={failed?.error}
        title="Not everything could be listed"
        action={
          <Button size="sm" onClick={() => void failed?.refetch()}>
            Try again
          </Button>
        }
      />
    </fieldset>
  );
}

const SHOWN = 6;
const UNTIL = "only what is whole of it can be used until a check finds all of it whole";

interface Picked extends PickedInput {
  /** Whether a check has found it damaged, as far as this page knows. */
  damage: "none" | "known" | "unknown";
}

const toInput = ({ name, ref, allow_damaged }: Picked): PickedInput =>
  allow_damaged ? { name, ref, allow_damaged } : { name, ref };

interface AllowanceProps {
  picked: Picked;
  onChange: (isAllowed: boolean) => void;
}

/** Asks whether what is damaged may be left out. */
function Allowance({ picked, onChange }: AllowanceProps) {
  if (picked.damage === "none") return null;
  return (
    <label className="flex items-start gap-2 text-sm sm:col-span-2">
      <input
        type="checkbox"
        className="mt-0.5 accent-accent"
        checked={picked.allow_damaged ?? false}
        onChange={event => onChange(event.target.checked)}
        onKeyDown={stay}
      />
      {picked.damage === "known"
        ? "Use it without the damaged files. The record will say which are left out."
        : "Use it also where files of it are damaged, without these."}
    </label>
  );
}

interface Props {
  project: string;
  verb: string;
  busy?: boolean;
  onPick: (input: PickedInput) => void;
}

export function InputPicker({ project, verb, busy, onPick }: Props) {
  const client = useQueryClient();
  const latest = useQuery(latestJobsQuery);
  const ofProject = useQuery(projectJobsQuery(project, client));
  const datasets = useQuery(datasetsQuery(project));
  const [query, setQuery] = useState("");
  const [picked, setPicked] = useState<Picked | null>(null);
  const others = (latest.data?.items ?? []).filter(job => job.project !== project);
  const jobs = [...(ofProject.data ?? []), ...others].filter(hasOutputs);
  const typed = query.trim();
  const typedName = nameOf(typed, project);
  const data = best(query, versionChoices(datasets.data?.items ?? []), choice => choice.ref, SHOWN);
  const found = best(query, jobs, job => `${job.project}#${job.number} ${jobName(job)}`, SHOWN);
  const isOffered = data.some(choice => choice.ref === typed) || picked?.ref === typed;
  const isWhole = [latest, ofProject, datasets].every(each => each.isSuccess);
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
      <TextField
        label="Data or outputs"
        placeholder="Search, or write a reference: digits:3, #12, #12/model"
        value={query}
        onChange={event => setQuery(event.target.value)}
        onKeyDown={stay}
      />
      <Choices legend="Data" queries={[datasets]} count={data.length}>
        {data.map(({ name, ref, about, damage, isBroken, isKnown }) => (
          <Choice
            key={ref}
            label={ref}
            isPicked={picked?.ref === ref}
            onPick={() => setPicked({ name, ref, damage: damage ? "known" : isKnown ? "none" : "unknown" })}
            title={ref}
            about={damage ? `${damage}: ${isBroken ? "it cannot be used" : UNTIL}.` : about}
            badge={damage ? <Chip icon="alert">damaged</Chip> : null}
            isDisabled={isBroken}
          />
        ))}
      </Choices>
      <Choices legend="Outputs of jobs" queries={[ofProject, latest]} count={found.length}>
        {found.map(job => (
          <Choice
            key={job.id}
            label={`#${job.number} ${jobName(job)}`}
            isPicked={picked?.ref === `${job.project}#${job.number}`}
            onPick={() =>
              setPicked({ name: inputName(job), ref: `${job.project}#${job.number}`, damage: "unknown" })
            }
            title={
              <>
                <span className="text-muted">#{job.number}</span> {jobName(job)}
              </>
            }
            about={
              <>
                {plural(job.outputs?.files ?? 0, "file")}, {bytes(job.outputs?.bytes ?? 0)} ·{" "}
                <Ago ms={job.created_ms} />
              </>
            }
            badge={<JobBadge state={shownState(job)} />}
          />
        ))}
      </Choices>
      {isWhole && data.length + found.length === 0 && !typedName ? (
        <p className="text-muted">No data and no job with outputs is called that.</p>
      ) : null}
      {typedName && !isOffered ? (
        <Button
          className="justify-start"
          onClick={() => setPicked({ name: typedName, ref: typed, damage: "unknown" })}
        >
          Use the reference {typed}
        </Button>
      ) : null}
      {picked ? (
        <div className="grid gap-3 rounded border border-line bg-sunken p-3 sm:grid-cols-[1fr_auto] sm:items-end">
          <TextField
            label="Folder name"
            value={picked.name}
            onChange={event => setPicked({ ...picked, name: event.target.value })}
            onKeyDown={stay}
          />
          <Button
            look="primary"
            busy={busy ?? false}
            disabled={!picked.name || (picked.damage === "known" && !picked.allow_damaged)}
            onClick={() => onPick(toInput(picked))}
          >
            {verb}
          </Button>
          <Allowance picked={picked} onChange={allow_damaged => setPicked({ ...picked, allow_damaged })} />
          <p className="text-sm text-muted sm:col-span-2">
            Read-only at <code>/cairn/inputs/{picked.name || "…"}</code>
          </p>
        </div>
      ) : null}
    </div>
  );
}
