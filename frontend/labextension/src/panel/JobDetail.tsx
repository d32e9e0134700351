/** A job unfolded: its charts, the last lines of its log, and what one can do with it. */
import type { Job } from "@cairn/api/types";
import { hasOutputs, isOver } from "@cairn/app/lib/job";
import { useRef, useState } from "react";
import { inputName } from "../jobs/list";
import { charted } from "../jobs/series";
import type { JobStore } from "../jobs/store";
import type { Desk } from "../lab/desk";
import { Failure } from "../ui/Failure";
import { refocus } from "../ui/focus";
import { Icon, type IconName } from "../ui/Icon";
import { useAction } from "../ui/useAction";
import { AttachedPath } from "./Attached";
import { Sparkline } from "./Sparkline";
import { useJobLog } from "./useJobLog";
import { useSeries } from "./useSeries";

const CHARTS = 8;

export function JobDetail({ job, store, desk }: { job: Job; store: JobStore; desk: Desk }) {
  const { series: all, error } = useSeries(store.api, job);
  const { lines, error: logError } = useJobLog(store.api, job);
  const series = charted(all, CHARTS);
  return (
    <div className="cairn-Detail">
      {job.message ? <p className="cairn-Detail-message">{job.message}</p> : null}
      {series.length > 0 ? (
        <div className="cairn-Charts">
          {series.map(each => (
            <Sparkline key={each.key} series={each} />
          ))}
        </div>
      ) : null}
      {lines && lines.length > 0 ? (
        <pre className="cairn-Log" role="log" tabIndex={0} aria-label={`Last lines of #${job.number}`}>
          {lines.map(line => (
            <span key={line.offset} data-stream={line.stream}>
              {line.text}
              {"\n"}
            </span>
          ))}
        </pre>
      ) : null}
      <Failure error={error ?? logError} />
      <JobActions job={job} store={store} desk={desk} />
    </div>
  );
}

function JobActions({ job, store, desk }: { job: Job; store: JobStore; desk: Desk }) {
  const [attached, setAttached] = useState<string | null>(null);
  const action = useAction();
  const box = useRef<HTMLDivElement>(null);
  const attach = async () => {
    const name = inputName(`#${job.number}`);
    await store.attach(name, `#${job.number}`);
    setAttached(name);
  };
  const does = (name: IconName, label: string, work: () => Promise<unknown>, says = label) => (
    <button
      type="button"
      className="cairn-Button"
      title={says}
      aria-label={says}
      aria-disabled={action.busy}
      onClick={() =>
        action.run(async () => {
          await work();
          refocus(box.current);
        })
      }
    >
      <Icon name={name} /> {label}
    </button>
  );
  return (
    <>
      <div className="cairn-Actions" ref={box}>
        {isOver(job.state) || job.state === "stopping" ? null : does("stop", "Stop", () => store.stop(job))}
        {job.notebook && hasOutputs(job)
          ? does("notebook", "Open as notebook", () => desk.openNotebook(job))
          : null}
        {job.notebook
          ? does("diff", "Compare", () => desk.compare(job), "Compare with present notebook")
          : null}
        {hasOutputs(job) ? does("input", "Attach outputs", attach) : null}
        <a className="cairn-Button" href={desk.jobUrl(job)} target="_blank" rel="noreferrer">
          <Icon name="external" /> Job’s page
        </a>
      </div>
      <Failure error={action.error} />
      {attached ? <AttachedPath name={attached} desk={desk} /> : null}
    </>
  );
}
