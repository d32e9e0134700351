/** This project's jobs, newest first. One of them is unfolded at a time. */

import type { Job } from "@cairn/api/types";
import { value } from "@cairn/app/lib/format";
import { shownState } from "@cairn/app/lib/job";
import { useId } from "react";
import { latest } from "../jobs/list";
import type { JobStore, State } from "../jobs/store";
import type { Desk } from "../lab/desk";
import { Ago } from "../ui/Ago";
import { Failure } from "../ui/Failure";
import { Icon } from "../ui/Icon";
import { StateMark } from "../ui/State";
import { useAction } from "../ui/useAction";
import { JobDetail } from "./JobDetail";
import { Section } from "./Section";

const VALUES = 3;

export function Jobs({ store, desk, state }: { store: JobStore; desk: Desk; state: State }) {
  const { jobs, isRead, next, isLive, workspace } = state;
  const loading = useAction();
  const aside = (
    <span className="cairn-mod-muted cairn-Live" data-live={isLive}>
      {workspace && !isLive ? "not live, read now and then" : null}
    </span>
  );
  return (
    <Section title={workspace ? `Jobs of ${workspace.project}` : "Jobs"} name="jobs" aside={aside}>
      {isRead && jobs.length === 0 ? (
        <p className="cairn-Empty">
          No job ran here yet. Press “Run as job” in a notebook’s toolbar, or select cells and press Ctrl or
          ⌘, Shift and Enter: they run by themselves while you go on working.
        </p>
      ) : null}
      {isRead ? null : <span className="cairn-Skeleton" />}
      <ul className="cairn-Jobs" aria-label="Jobs, newest first">
        {jobs.map(job => (
          <JobRow key={job.number} job={job} store={store} desk={desk} isOpen={state.open === job.number} />
        ))}
      </ul>
      {next === null ? null : (
        <button
          type="button"
          className="cairn-Link cairn-More"
          aria-disabled={loading.busy}
          onClick={() => loading.run(store.more)}
        >
          {loading.busy ? "Loading…" : "More"}
        </button>
      )}
      <Failure error={loading.error} />
    </Section>
  );
}

interface RowProps {
  job: Job;
  store: JobStore;
  desk: Desk;
  isOpen: boolean;
}

function JobRow({ job, store, desk, isOpen }: RowProps) {
  const id = useId();
  const values = latest(job.metadata, VALUES);
  return (
    <li className="cairn-Job" data-open={isOpen} data-number={job.number}>
      <button
        type="button"
        aria-expanded={isOpen}
        aria-controls={id}
        onClick={() => store.unfold(isOpen ? null : job.number)}
      >
        <span className="cairn-Job-title">
          <Icon name="chevron" />
          <span className="cairn-Job-name" title={job.name}>
            <span className="cairn-mod-muted">#{job.number}</span> {job.name}
          </span>
          <span className="cairn-mod-muted">
            <Ago ms={job.ended_ms ?? job.started_ms ?? job.created_ms} />
          </span>
        </span>
        <span className="cairn-Job-facts">
          <StateMark state={shownState(job)} />
          {values.map(([key, each]) => (
            <span key={key} className="cairn-Value" title={`${key} ${value(each)}`}>
              <span className="cairn-mod-muted">{key}</span> {value(each)}
            </span>
          ))}
        </span>
      </button>
      <div id={id} hidden={!isOpen}>
        {isOpen ? <JobDetail job={job} store={store} desk={desk} /> : null}
      </div>
    </li>
  );
}
