/** Something that a person starts and that may fail: whether it goes on, and what went wrong. */
import { useRef, useState } from "react";
import { words } from "../api/client";

export interface Action {
  /** For `aria-disabled`: a button that is disabled loses the focus, and `run` does one thing at a time anyway. */
  busy: boolean;
  error: string | null;
  run: (work: () => Promise<void>) => void;
}

export function useAction(): Action {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const isBusy = useRef(false);
  const run = (work: () => Promise<void>) => {
    if (isBusy.current) return;
    isBusy.current = true;
    setBusy(true);
    setError(null);
    work()
      .catch((cause: unknown) => setError(words(cause)))
      .finally(() => {
        isBusy.current = false;
        setBusy(false);
      });
  };
  return { busy, error, run };
}
