/** Something that a person starts and that may fail: whether it goes on, and what went wrong. */
import { useState } from "react";
import { words } from "../api/client";

export interface Action {
  busy: boolean;
  error: string | null;
  run: (work: () => Promise<void>) => void;
}

export function useAction(): Action {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const run = (work: () => Promise<void>) => {
    setBusy(true);
    setError(null);
    work()
      .catch((cause: unknown) => setError(words(cause)))
      .finally(() => setBusy(false));
  };
  return { busy, error, run };
}
