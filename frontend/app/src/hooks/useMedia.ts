/** Whether a media query holds now. */
import { useCallback, useSyncExternalStore } from "react";

export function useMedia(query: string): boolean {
  const subscribe = useCallback(
    (run: () => void) => {
      const media = matchMedia(query);
      media.addEventListener("change", run);
      return () => media.removeEventListener("change", run);
    },
    [query],
  );
  return useSyncExternalStore(subscribe, () => matchMedia(query).matches);
}
