/** The mock's stream of changes, and a job that keeps training so that there is something to see. */
import { HttpResponse } from "msw";
import { jobs } from "./jobs.ts";

const encoder = new TextEncoder();
const open = new Set<ReadableStreamDefaultController<Uint8Array>>();
let number = 1;

export function bump(kind: string, projectId: string, subject: string): void {
  number += 1;
  const data = JSON.stringify({ number, kind, project_id: projectId, subject });
  for (const controller of open) {
    try {
      controller.enqueue(encoder.encode(`id: ${number}\ndata: ${data}\n\n`));
    } catch {
      open.delete(controller);
    }
  }
}

export function events(): Response {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      open.add(controller);
      controller.enqueue(encoder.encode(`event: ready\nid: ${number}\ndata: {"number":${number}}\n\n`));
    },
  });
  return new HttpResponse(body, { headers: { "content-type": "text/event-stream" } });
}

export function keepTraining(): void {
  setInterval(() => {
    const job = jobs.find(each => each.state === "started");
    if (!job) return;
    const step = Number(job.metadata.step) + 1;
    const loss = 2.3 * Math.exp(-step / 18) + 0.05;
    job.metadata = {
      ...job.metadata,
      step,
      loss: Number(loss.toPrecision(4)),
      accuracy: Number((1 - loss / 2.6).toPrecision(4)),
    };
    bump("job.metadata", job.project_id, job.id);
  }, 2000);
}
