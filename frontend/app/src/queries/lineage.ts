/** Queries of what things came from, and of what came of them. */
import * as api from "@cairn/api/operations";
import { queryOptions } from "@tanstack/react-query";

export const lineageQuery = (project: string, reference: string, depth: number) =>
  queryOptions({
    queryKey: ["lineage", project, reference, depth],
    queryFn: ({ signal }) => api.getLineage(project, reference, depth, signal),
  });
