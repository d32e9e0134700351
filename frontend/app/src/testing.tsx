/** Shows a part of the app in a unit test's document, with a cache and an address of its own. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { type InitialEntry, MemoryRouter } from "react-router";
import { afterEach, vi } from "vitest";

let root: Root | null = null;

export function show(node: ReactNode, address: InitialEntry = "/"): HTMLElement {
  const element = document.body.appendChild(document.createElement("div"));
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  root = createRoot(element);
  root.render(
    <QueryClientProvider client={client}>
      <MemoryRouter initialEntries={[address]}>{node}</MemoryRouter>
    </QueryClientProvider>,
  );
  return element;
}

/** Waits until `check` passes, also where the machine has much else to do. */
export const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 4000 });

afterEach(() => {
  root?.unmount();
  document.body.replaceChildren();
});
