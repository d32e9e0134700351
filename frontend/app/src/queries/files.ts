/** Queries of trees of files. */
import { infiniteQueryOptions } from "@tanstack/react-query";
import type { FileTree } from "~/files/tree";

export const filesQuery = (tree: FileTree, path: string) =>
  infiniteQueryOptions({
    queryKey: ["files", ...tree.key, path],
    queryFn: ({ pageParam, signal }) =>
      tree.list({ path, ...(pageParam ? { cursor: pageParam } : {}) }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: page => page.next,
  });
