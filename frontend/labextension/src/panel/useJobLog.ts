/** The last lines of a job's log, followed while it runs. */
import type { Job, LogLine } from "@cairn/api/types";
import { isOver } from "@cairn/app/lib/job";
import { useEffect, useState } from "react";
import { words } from "../api/client";
import type { Api } from "../api/operations";

const LINES = 8;
const TAIL_BYTES = 16_384;
const PAGE_BYTES = 1 << 20;
/** A running job does not say how long its log is. What is longer than this is for the job's own page. */
const MOST_PAGES = 16;

/** What was measured is in the charts: lines that are JSON objects say it once more. */
function isMeasure({ text }: LogLine): boolean {
  if (!text.startsWith("{") || !text.trimEnd().endsWith("}")) return false;
  try {
    return typeof JSON.parse(text) === "object";
  } catch {
    return false;
  }
}

const last = (lines: readonly LogLine[]): LogLine[] => lines.filter(line => !isMeasure(line)).slice(-LINES);

function parse(data: string): LogLine | null {
  try {
    return JSON.parse(data) as LogLine;
  } catch {
    return null;
  }
}

/** Reads to the end of what is there. Returns the last lines and where to go on; null where nothing will follow. */
async function read(
  api: Api,
  job: Job,
  isCurrent: () => boolean,
): Promise<{ lines: LogLine[]; next: number | null }> {
  let offset = Math.max(0, job.log_bytes - TAIL_BYTES);
  // One that begins in the middle of the log begins in the middle of a line.
  let torn = offset > 0;
  let lines: LogLine[] = [];
  for (let page = 0; page < MOST_PAGES && isCurrent(); page += 1) {
    const { items, next, ended } = await api.log(job.project, job.number, offset, PAGE_BYTES);
    lines = last([...lines, ...(torn ? items.slice(1) : items)]);
    torn = false;
    if (ended) return { lines, next: null };
    if (next === offset || items.length === 0) return { lines, next };
    offset = next;
  }
  return { lines, next: null };
}

export interface JobLog {
  /** Null until the first answer. */
  lines: readonly LogLine[] | null;
  /** Why they could not be read. */
  error: string | null;
}

export function useJobLog(api: Api, job: Job): JobLog {
  const [lines, setLines] = useState<readonly LogLine[] | null>(null);
  const [error, setError] = useState<string | null>(null);
  const over = isOver(job.state);
  const { project, number, attempt } = job;
  // A connection with a lifetime: this is what effects are for.
  useEffect(() => {
    let source: EventSource | null = null;
    let isCurrent = true;
    const follow = (offset: number) => {
      source = new EventSource(
        api.client.url(["projects", project, "jobs", number, "log", "stream"], { offset }),
      );
      source.onmessage = (event: MessageEvent<string>) => {
        const line = parse(event.data);
        if (line) setLines(before => last([...(before ?? []), line]));
      };
      source.addEventListener("end", () => source?.close());
    };
    void read(api, job, () => isCurrent).then(
      ({ lines: found, next }) => {
        if (!isCurrent) return;
        setLines(found);
        setError(null);
        if (next !== null && !over) follow(next);
      },
      (cause: unknown) => isCurrent && setError(words(cause)),
    );
    return () => {
      isCurrent = false;
      source?.close();
    };
  }, [api, project, number, attempt, over]);
  return { lines, error };
}
