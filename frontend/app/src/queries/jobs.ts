/** Queries of jobs, and the list of a project's jobs that stays current job by job. */
import * as api from "@cairn/api/operations";
import type { Job } from "@cairn/api/types";
import { type QueryClient, queryOptions } from "@tanstack/react-query";

const PAGE = 1000;
const NEWEST = 50;

export const latestJobsQuery = queryOptions({
  queryKey: ["jobs"],
  queryFn: ({ signal }) => api.listLatestJobs(signal),
});
export const jobQuery = (project: string, number: number) =>
  queryOptions({
    queryKey: ["job", project, number],
    queryFn: ({ signal }) => api.getJob(project, number, signal),
  });
export const seriesQuery = (project: string, number: number, query: api.SeriesQuery) =>
  queryOptions({
    queryKey: ["series", project, number, query],
    queryFn: async ({ signal }) => {
      const { items } = await api.getSeries(project, number, query, signal);
      return items[0] ?? { key: query.key, points: [], total: 0 };
    },
  });
/** Puts newer versions of jobs into a list that is sorted by number, newest first. */
export function mergeJobs(known: Job[], fresh: Job[]): Job[] {
  const oldest = known.at(-1)?.number ?? Number.POSITIVE_INFINITY;
  if (fresh.every(job => job.number < oldest)) return [...known, ...fresh];
  const byNumber = new Map(fresh.map(job => [job.number, job]));
  const merged = known.map(job => {
    const newer = byNumber.get(job.number);
    byNumber.delete(job.number);
    return newer ?? job;
  });
  if (byNumber.size === 0) return merged;
  return [...byNumber.values(), ...merged].sort((a, b) => b.number - a.number);
}

/** All jobs of a project. The first page is shown while the others arrive. */
export const projectJobsQuery = (project: string, client: QueryClient) =>
  queryOptions({
    queryKey: ["project-jobs", project],
    queryFn: async ({ signal }): Promise<Job[]> => {
      const first = await api.listJobs(project, { limit: PAGE }, signal);
      if (first.next) void loadRest(project, first.next, client);
      const known = client.getQueryData<Job[]>(["project-jobs", project]);
      return known ? mergeJobs(known, first.items) : first.items;
    },
  });

async function loadRest(project: string, cursor: string, client: QueryClient): Promise<void> {
  let next: string | null | undefined = cursor;
  while (next) {
    const page: Awaited<ReturnType<typeof api.listJobs>> = await api.listJobs(project, {
      limit: PAGE,
      cursor: next,
    });
    next = page.next;
    client.setQueryData<Job[]>(["project-jobs", project], known => mergeJobs(known ?? [], page.items));
  }
}

/** Brings the jobs with these ids up to date in a cached list, with as few calls as possible. */
export async function refreshJobs(project: string, ids: Set<string>, client: QueryClient): Promise<void> {
  const key = ["project-jobs", project];
  const known = client.getQueryData<Job[]>(key);
  if (!known) return;
  const numbers = known.filter(job => ids.has(job.id)).map(job => job.number);
  const isNew = numbers.length < ids.size;
  const single = !isNew && numbers.length <= 5;
  const fresh = single
    ? await Promise.all(numbers.map(number => api.getJob(project, number)))
    : (await api.listJobs(project, { limit: NEWEST })).items;
  client.setQueryData<Job[]>(key, current => mergeJobs(current ?? [], fresh));
  const missed = numbers.filter(number => !fresh.some(job => job.number === number));
  if (missed.length > 0) await client.invalidateQueries({ queryKey: key });
}
