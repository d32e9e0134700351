/**
 * The stream of changes. One tab of a browser holds the connection and tells the others, so that many open tabs
 * do not use up the few connections that a browser gives one server over HTTP/1.1.
 */
import { apiPath, withQuery } from "@cairn/api/client";
import type { Change } from "@cairn/api/types";

export type Connection = "connecting" | "live" | "lost";

export interface Listener {
  onChanges: (changes: Change[]) => void;
  onConnection: (connection: Connection) => void;
  /** The session is over. */
  onRefused: () => void;
  /** Events were missed that the server no longer keeps: everything has to be read anew. */
  onReset: () => void;
}

const CHANNEL = "cairn-events";
const BATCH_MS = 250;
const MAX_RETRY_MS = 15_000;

type Message = { changes: Change[] } | { connection: Connection } | { refused: true } | { reset: true };

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

/** Holds one EventSource, reopening it from the last number seen whenever the browser gives up on it. */
function hold(tell: (message: Message) => void): () => void {
  let source: EventSource | null = null;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let flush: ReturnType<typeof setTimeout> | undefined;
  let since: number | null = null;
  let retryMs = 500;
  let batch: Change[] = [];

  const deliver = () => {
    flush = undefined;
    const changes = batch;
    batch = [];
    tell({ changes });
  };
  const receive = (event: MessageEvent<string>) => {
    const change = parseChange(event.data);
    if (!change) return;
    since = Math.max(since ?? 0, change.number);
    batch.push(change);
    flush ??= setTimeout(deliver, BATCH_MS);
  };
  const place = (event: MessageEvent<string>) => {
    since = Math.max(since ?? 0, Number(event.lastEventId) || 0);
  };
  const failed = () => {
    tell({ connection: "lost" });
    if (source?.readyState !== EventSource.CLOSED) return;
    source.close();
    clearTimeout(retry);
    retry = setTimeout(check, retryMs);
    retryMs = Math.min(MAX_RETRY_MS, retryMs * 2);
  };
  const check = () => {
    void fetch(apiPath("me"), { headers: { accept: "application/json" } }).then(
      response => (response.status === 401 ? tell({ refused: true }) : open()),
      () => failed(),
    );
  };
  const open = () => {
    source?.close();
    source = new EventSource(withQuery(apiPath("events"), { since }));
    source.onopen = () => {
      retryMs = 500;
      tell({ connection: "live" });
    };
    source.onmessage = receive;
    source.onerror = failed;
    source.addEventListener("ready", place);
    source.addEventListener("reset", event => {
      place(event);
      tell({ reset: true });
    });
  };
  open();
  return () => {
    clearTimeout(retry);
    clearTimeout(flush);
    source?.close();
  };
}

/** Listens to changes until the returned function is called. */
export function listen(listener: Listener): () => void {
  const hear = (message: Message) => {
    if ("changes" in message) listener.onChanges(message.changes);
    else if ("connection" in message) listener.onConnection(message.connection);
    else if ("reset" in message) listener.onReset();
    else listener.onRefused();
  };
  if (!("locks" in navigator) || !("BroadcastChannel" in window)) return hold(hear);
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = (event: MessageEvent<Message>) => hear(event.data);
  const stop = new AbortController();
  void navigator.locks
    .request(CHANNEL, { signal: stop.signal }, () => {
      const close = hold(message => {
        hear(message);
        channel.postMessage(message);
      });
      return new Promise<void>(resolve => {
        stop.signal.addEventListener("abort", () => {
          close();
          resolve();
        });
      });
    })
    .catch(() => undefined);
  return () => {
    stop.abort();
    channel.close();
  };
}
