/** Brief confirmations of what was done. Never the only place of something that needs an action. */
import { useSyncExternalStore } from "react";
import { Icon } from "./Icon";

interface Toast {
  id: number;
  text: string;
}

let toasts: Toast[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

function set(next: Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

export function toast(text: string): void {
  const id = nextId++;
  set([...toasts.slice(-2), { id, text }]);
  setTimeout(() => set(toasts.filter(each => each.id !== id)), 4000);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => toasts);
  return (
    <div
      aria-live="polite"
      className="pointer-events-none fixed inset-x-0 bottom-18 z-50 grid justify-items-center gap-2 px-4 md:bottom-6"
    >
      {shown.map(each => (
        <div
          key={each.id}
          className="rise flex items-center gap-2 rounded border border-line bg-surface px-3 py-2 shadow-[0_8px_28px_var(--shadow)]"
        >
          <Icon name="check" className="text-ok" />
          {each.text}
        </div>
      ))}
    </div>
  );
}
