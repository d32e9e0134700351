/**
 * The stream of changes. One tab of a browser holds the connection and tells the others, so that many open tabs
 * do not use up the few connections that a browser gives one server over HTTP/1.1.
 */
import { apiPath, withQuery } from "@cairn/api/client";
import { follow } from "@cairn/api/events";
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
type Message = { changes: Change[] } | { connection: Connection } | { refused: true } | { reset: true };

/** Holds one stream, and asks who one is before it is opened again. */
function hold(tell: (message: Message) => void): () => void {
  return follow({
    open: since => new EventSource(withQuery(apiPath("events"), { since })),
    mayOpen: async () => {
      const { status } = await fetch(apiPath("me"), { headers: { accept: "application/json" } });
      if (status === 401) tell({ refused: true });
      return status !== 401;
    },
    onChanges: changes => tell({ changes }),
    onLive: isLive => tell({ connection: isLive ? "live" : "lost" }),
    onReset: () => tell({ reset: true }),
  });
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
