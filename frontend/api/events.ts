/** The stream of changes, as one tab follows it. It resumes after the last number seen, and says when it is not there. */
import type { Change } from "./types.ts";

/** The part of an `EventSource` that is used, so that tests can make one up. */
export interface Source {
  readyState: number;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent<string>) => void) | null;
  onerror: ((event: Event) => void) | null;
  addEventListener(kind: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

export interface Listener {
  /** Opens the stream after this number; from now on where it is null. */
  open: (since: number | null) => Source;
  /** Asked before it is opened again: whether there is still somebody to listen. Rejects while nobody answers. */
  mayOpen?: () => Promise<boolean>;
  onChanges: (changes: Change[]) => void;
  onLive: (isLive: boolean) => void;
  /** Events were missed that the server no longer keeps: everything has to be read anew. */
  onReset: () => void;
}

const CLOSED = 2;
const BATCH_MS = 250;
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 15_000;

export function parseChange(data: string): Change | null {
  try {
    const value: unknown = JSON.parse(data);
    if (typeof value !== "object" || value === null || !("kind" in value) || !("number" in value))
      return null;
    return value as Change;
  } catch {
    return null;
  }
}

/** Follows the stream until the returned function is called. */
export function follow(listener: Listener): () => void {
  let source: Source | null = null;
  let isOver = false;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let flush: ReturnType<typeof setTimeout> | undefined;
  let since: number | null = null;
  let retryMs = FIRST_RETRY_MS;
  let batch: Change[] = [];

  const reached = (number: number) => {
    since = Math.max(since ?? 0, number);
  };
  const deliver = () => {
    flush = undefined;
    const changes = batch;
    batch = [];
    listener.onChanges(changes);
  };
  const receive = (event: MessageEvent<string>) => {
    const change = parseChange(event.data);
    if (!change) return;
    reached(change.number);
    batch.push(change);
    flush ??= setTimeout(deliver, BATCH_MS);
  };
  const place = (event: MessageEvent<string>) => reached(Number(event.lastEventId) || 0);
  const failed = () => {
    listener.onLive(false);
    // The browser tries again by itself, until it gives up for good.
    if (source?.readyState !== CLOSED) return;
    clearTimeout(retry);
    retry = setTimeout(again, retryMs);
    retryMs = Math.min(MAX_RETRY_MS, retryMs * 2);
  };
  const again = () => {
    if (listener.mayOpen) void listener.mayOpen().then(may => may && open(), failed);
    else open();
  };
  const open = () => {
    if (isOver) return;
    source?.close();
    source = listener.open(since);
    source.onopen = () => {
      retryMs = FIRST_RETRY_MS;
      listener.onLive(true);
    };
    source.onmessage = receive;
    source.onerror = failed;
    source.addEventListener("ready", place);
    source.addEventListener("reset", event => {
      place(event);
      listener.onReset();
    });
  };
  open();
  return () => {
    isOver = true;
    clearTimeout(retry);
    clearTimeout(flush);
    source?.close();
  };
}
