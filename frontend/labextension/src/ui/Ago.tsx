/** A relative time that keeps itself current, with the exact one on hover. */
import { ago, exactTime } from "@cairn/app/lib/format";
import { useSyncExternalStore } from "react";

const STEP_MS = 5000;

function subscribe(listener: () => void): () => void {
  const timer = setInterval(listener, STEP_MS);
  return () => clearInterval(timer);
}

export function Ago({ ms }: { ms: number }) {
  const now = useSyncExternalStore(subscribe, () => Math.ceil(Date.now() / STEP_MS) * STEP_MS);
  return (
    <time dateTime={new Date(ms).toISOString()} title={exactTime(ms)}>
      {ago(ms, now)}
    </time>
  );
}
