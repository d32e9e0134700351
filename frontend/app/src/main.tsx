/** Starts the app. */
import { QueryClientProvider } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";
import { RouterProvider } from "react-router";
import { queryClient } from "./lib/query";
import { makeRouter } from "./routes";
import "./styles.css";

async function start(): Promise<void> {
  if (import.meta.env.MODE === "mock") {
    const { startMock } = await import("@cairn/mock/browser");
    await startMock();
  }
  const root = document.getElementById("root");
  if (!root) throw new Error("index.html has no #root");
  createRoot(root).render(
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={makeRouter()} />
    </QueryClientProvider>,
  );
}

void start();
