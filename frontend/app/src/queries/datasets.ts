/** Queries of datasets, their versions and aliases. What a version holds never changes. */
import * as api from "@cairn/api/operations";
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

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
