/** A job's log as a component sees it: its store, kept current while the component is there. */
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { type Followed, follow } from "./follow";
import { LogStore } from "./store";

export function useLog({ project, number }: Followed): { store: LogStore; error: unknown; version: number } {
  const store = useRef<LogStore>(null);
  store.current ??= new LogStore();
  const current = store.current;
  const [error, setError] = useState<unknown>(null);
  // A connection with a lifetime: this is what effects are for.
  useEffect(() => {
    const stop = new AbortController();
    void follow({ project, number }, current, setError, stop.signal);
    return () => stop.abort();
  }, [project, number, current]);
  const version = useSyncExternalStore(current.subscribe, current.snapshot);
  return { store: current, error, version };
}
