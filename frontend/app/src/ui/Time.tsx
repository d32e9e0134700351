/** Relative times and durations that keep themselves current, with the exact moment on hover. */

import { useNow } from "~/lib/clock";
import { ago, duration, exactTime } from "~/lib/format";

export function Ago({ ms, className }: { ms: number; className?: string }) {
  const now = useNow(5000);
  return (
    <time dateTime={new Date(ms).toISOString()} title={exactTime(ms)} className={className}>
      {ago(ms, Math.max(now, Date.now() - 5000))}
    </time>
  );
}

/** The time between two moments; it counts on while there is no end. */
export function Lasting({
  from,
  to,
  className,
}: {
  from: number | null | undefined;
  to?: number | null;
  className?: string;
}) {
  const now = useNow(1000);
  if (from === null || from === undefined) return <span className={className}>–</span>;
  const until = to ?? Math.max(now, from);
  return (
    <span className={className} title={`${exactTime(from)}${to ? ` to ${exactTime(to)}` : ""}`}>
      {duration(to ? until - from : Math.floor((until - from) / 1000) * 1000)}
    </span>
  );
}
