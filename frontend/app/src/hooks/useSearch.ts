/** View state in the address: read a key, replace some keys, leave the rest alone. */
import { useCallback } from "react";
import { useSearchParams } from "react-router";

export type SetSearch = (changes: Record<string, string | null>, options?: { push?: boolean }) => void;

export function useSearch(): [URLSearchParams, SetSearch] {
  const [params, setParams] = useSearchParams();
  const set = useCallback<SetSearch>(
    (changes, options) =>
      setParams(
        current => {
          const next = new URLSearchParams(current);
          for (const [key, value] of Object.entries(changes)) {
            if (value === null || value === "") next.delete(key);
            else next.set(key, value);
          }
          return next;
        },
        { replace: !options?.push, preventScrollReset: true },
      ),
    [setParams],
  );
  return [params, set];
}
