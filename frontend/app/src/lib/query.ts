/** The cache of the server's state: its client, and how a page reads what its loader fetched. */
import { ApiError } from "@cairn/api/errors";
import { QueryClient, type QueryKey, type UseQueryOptions, useQuery } from "@tanstack/react-query";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // Events say what changed, so nothing grows old by itself.
      staleTime: Number.POSITIVE_INFINITY,
      gcTime: 10 * 60 * 1000,
      refetchOnWindowFocus: false,
      retry: (count, error) =>
        error instanceof ApiError && (error.status === 0 || error.status === 503) && count < 2,
    },
  },
});

/** Reads a query that the page's loader has fetched. Throws its error to the page's boundary. */
export function usePrefetched<T, K extends QueryKey>(options: UseQueryOptions<T, ApiError | Error, T, K>): T {
  const result = useQuery(options);
  if (result.data !== undefined) return result.data;
  if (result.error) throw result.error;
  throw new Error(`The loader of this page must fetch ${JSON.stringify(options.queryKey)} first.`);
}

/** Fetches what a page needs before it is shown; what the cache already has is shown at once. */
export function prefetch<T, K extends QueryKey>(
  options: UseQueryOptions<T, ApiError | Error, T, K>,
): Promise<T> {
  return queryClient.ensureQueryData(options as never) as Promise<T>;
}
