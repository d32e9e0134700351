/** Connects the event stream to the cache while someone is signed in. */
import type { QueryClient } from "@tanstack/react-query";
import { useEffect, useSyncExternalStore } from "react";
import { type Connection, listen } from "./events";
import { applyChanges } from "./invalidate";

let connection: Connection = "connecting";
const listeners = new Set<() => void>();

function setConnection(next: Connection): void {
  if (connection === next) return;
  connection = next;
  for (const each of listeners) each();
}

export function useLive(client: QueryClient, onRefused: () => void): void {
  // An outside system with a lifetime: this is what effects are for.
  useEffect(
    () =>
      listen({
        onChanges: changes => applyChanges(changes, client),
        onConnection: next => setConnection(next),
        onRefused,
        onReset: () => void client.invalidateQueries(),
      }),
    [client, onRefused],
  );
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useConnection = (): Connection => useSyncExternalStore(subscribe, () => connection);
