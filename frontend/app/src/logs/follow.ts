/** Fills a log store: what is there in large pages, then what comes as a stream that resumes where it broke off. */
import { apiPath, withQuery } from "@cairn/api/client";
import * as api from "@cairn/api/operations";
import type { LogLine } from "@cairn/api/types";
import type { LogStore } from "./store";

const PAGE_BYTES = 2 << 20;
const RETRY_MS = [500, 1000, 2000, 5000, 10_000];

export interface Followed {
  project: string;
  number: number;
}

function parseLine(data: string): LogLine | null {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === "object" && value !== null && "text" in value ? (value as LogLine) : null;
  } catch {
    return null;
  }
}

/** Reads pages until the end of what is there; returns where to go on, or null when nothing will follow. */
async function readPages(
  job: Followed,
  store: LogStore,
  from: number,
  signal: AbortSignal,
): Promise<number | null> {
  let offset = from;
  while (!signal.aborted) {
    const page = await api.getJobLog(job.project, job.number, { offset, limit: PAGE_BYTES }, signal);
    store.add(page.items);
    if (page.ended) return null;
    if (page.items.length === 0 || page.next === offset) return page.next;
    offset = page.next;
  }
  return offset;
}

/** Streams until the log ends, the connection breaks or the signal fires. Says where to go on; null at the end. */
function stream(job: Followed, store: LogStore, from: number, signal: AbortSignal): Promise<number | null> {
  return new Promise(resolve => {
    let offset = from;
    let waiting: LogLine[] = [];
    let frame = 0;
    const path = apiPath("projects", job.project, "jobs", job.number, "log", "stream");
    const source = new EventSource(withQuery(path, { offset }));
    const flush = () => {
      frame = 0;
      store.add(waiting);
      waiting = [];
    };
    const finish = (next: number | null) => {
      source.close();
      clearTimeout(frame);
      flush();
      resolve(next);
    };
    source.onmessage = (event: MessageEvent<string>) => {
      const line = parseLine(event.data);
      if (!line) return;
      offset = Number(event.lastEventId) || line.offset;
      waiting.push(line);
      frame ||= window.setTimeout(flush, 80);
    };
    source.addEventListener("end", () => finish(null));
    source.onerror = () => finish(offset);
    signal.addEventListener("abort", () => finish(offset));
  });
}

const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>(resolve => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });

/** Keeps `store` current until the log ends or `signal` fires. `onError` hears of trouble, and null when it is over. */
export async function follow(
  job: Followed,
  store: LogStore,
  onError: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  let offset: number | null = 0;
  let failures = 0;
  while (offset !== null && !signal.aborted) {
    const before: number = offset;
    try {
      offset = await readPages(job, store, offset, signal);
      onError(null);
      if (offset !== null && !signal.aborted) offset = await stream(job, store, offset, signal);
      failures = offset === null || offset > before ? 0 : failures + 1;
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      onError(error);
    }
    if (offset !== null && failures > 0)
      await pause(RETRY_MS[Math.min(failures, RETRY_MS.length) - 1] ?? 1000, signal);
  }
  if (!signal.aborted) store.end();
}
