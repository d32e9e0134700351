/** A job's series, read again when the job has changed, but not more often than one can look. */
import type { Job, Series } from "@cairn/api/types";
import { useEffect, useRef, useState } from "react";
import { words } from "../api/client";
import type { Api } from "../api/operations";

const AT_MOST_EVERY_MS = 1000;

export interface JobSeries {
  series: readonly Series[];
  /** Why they could not be read. */
  error: string | null;
}

export function useSeries(api: Api, job: Job): JobSeries {
  const [known, setKnown] = useState<JobSeries>({ series: [], error: null });
  const readMs = useRef(0);
  const { project, number } = job;
  // `job` is another object whenever it changed, so this runs once for each change that arrives.
  useEffect(() => {
    let isCurrent = true;
    const timer = setTimeout(
      () => {
        readMs.current = Date.now();
        api.series(project, number).then(
          ({ items }) => isCurrent && setKnown({ series: items, error: null }),
          (cause: unknown) => isCurrent && setKnown(({ series }) => ({ series, error: words(cause) })),
        );
      },
      Math.max(0, readMs.current + AT_MOST_EVERY_MS - Date.now()),
    );
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [api, job]);
  return known;
}
