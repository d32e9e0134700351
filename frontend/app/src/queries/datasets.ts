/** Queries of datasets, their versions and aliases. What a version holds never changes. */
import * as api from "@cairn/api/operations";
import { infiniteQueryOptions, type QueryClient, queryOptions } from "@tanstack/react-query";

export const datasetsQuery = (project: string) =>
  queryOptions({
    queryKey: ["datasets", project],
    queryFn: ({ signal }) => api.listDatasets(project, signal),
  });
export const datasetQuery = (project: string, name: string) =>
  queryOptions({
    queryKey: ["dataset", project, name],
    queryFn: ({ signal }) => api.getDataset(project, name, signal),
  });
export const versionsQuery = (project: string, name: string) =>
  infiniteQueryOptions({
    queryKey: ["dataset-versions", project, name],
    queryFn: ({ pageParam, signal }) => api.listVersions(project, name, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: page => page.next,
  });
/** By its number or an alias. */
export const versionQuery = (project: string, name: string, version: string) =>
  queryOptions({
    queryKey: ["dataset-version", project, name, version],
    queryFn: ({ signal }) => api.getVersion(project, name, version, signal),
  });
export const diffQuery = (project: string, name: string, to: number, from: string | null) =>
  queryOptions({
    queryKey: ["dataset-diff", project, name, to, from],
    queryFn: ({ signal }) => api.diffVersions(project, name, to, from, signal),
  });
export const aliasMovesQuery = (project: string, name: string) =>
  infiniteQueryOptions({
    queryKey: ["dataset-aliases", project, name],
    queryFn: ({ pageParam, signal }) => api.listAliasMoves(project, name, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: page => page.next,
  });

/** Query families that are of one dataset, by its project and name. */
export const OF_DATASET: ReadonlySet<string> = new Set([
  "dataset",
  "dataset-versions",
  "dataset-version",
  "dataset-diff",
  "dataset-aliases",
]);

/** Drops what is known of a dataset that is gone: another one may get its name. */
export function forgetDataset(client: QueryClient, project: string, name: string): void {
  client.removeQueries({ queryKey: ["files", project, "dataset", name] });
  for (const family of OF_DATASET) client.removeQueries({ queryKey: [family, project, name] });
}
