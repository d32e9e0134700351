/** Starts the mock in a browser. */
import { setupWorker } from "msw/browser";
import { keepTraining } from "./events.ts";
import { handlers } from "./handlers.ts";

export async function startMock(): Promise<void> {
  keepTraining();
  await setupWorker(...handlers).start({ quiet: true, onUnhandledRequest: "bypass" });
}
