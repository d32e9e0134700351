/** Form input that survives leaving the page: kept for this tab until it is sent. */
import { useState } from "react";

const PREFIX = "cairn.draft.";

function read<T>(key: string): Partial<T> {
  try {
    return JSON.parse(sessionStorage.getItem(PREFIX + key) ?? "{}") as Partial<T>;
  } catch {
    return {};
  }
}

function write(key: string, value: unknown): void {
  try {
    if (value === null) sessionStorage.removeItem(PREFIX + key);
    else sessionStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // Storage may be full or blocked: the form still works, only without a memory.
  }
}

export interface Draft<T> {
  value: T;
  change: (part: Partial<T>) => void;
  clear: () => void;
}

export function useDraft<T extends object>(key: string, initial: T): Draft<T> {
  const [value, setValue] = useState<T>(() => ({ ...initial, ...read<T>(key) }));
  return {
    value,
    change: part =>
      setValue(current => {
        const next = { ...current, ...part };
        write(key, next);
        return next;
      }),
    clear: () => {
      write(key, null);
      setValue(initial);
    },
  };
}
