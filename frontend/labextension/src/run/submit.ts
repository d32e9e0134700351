/** From the dialog to the job, beside the notebook: carries values, sends, and says how it went. */

import type { Job } from "@cairn/api/types";
import { Notification } from "@jupyterlab/apputils";
import { words } from "../api/client";
import type { JobStore } from "../jobs/store";
import { toJob } from "./draft";
import type { RunModel } from "./model";
import { isRefusal, send } from "./send";

const SHOWN_MS = 6000;
/** What is quicker than this needs no word in between. */
const PATIENCE_MS = 600;
const WAITING_SHOWN_MS = 20_000;

/**
 * Says that something goes on, unless it is over soon. Lab fetches what shows notices when it is first needed, and an update that comes meanwhile
 * is lost: so the end is a notice of its own, and this one goes.
 */
function patience(message: string): () => void {
  let id: string | null = null;
  const timer = setTimeout(() => {
    id = Notification.emit(message, "in-progress", { autoClose: WAITING_SHOWN_MS });
  }, PATIENCE_MS);
  return () => {
    clearTimeout(timer);
    if (id !== null) Notification.dismiss(id);
  };
}

export interface Outcome {
  onMade: (job: Job) => void;
  show: (job: Job) => void;
  /** Opens the dialog again as it was. */
  again: () => void;
}

/** Never rejects: what goes wrong is said, with a way to try again. */
export async function submit(
  model: RunModel,
  store: JobStore,
  { onMade, show, again }: Outcome,
): Promise<void> {
  const { draft } = model.get();
  const name = draft.name.trim() || "job";
  const names = model.source.what === "cells" ? draft.carried : [];
  const done = patience(opening(names, model));
  try {
    const { project } = store.get().workspace ?? (await store.api.workspace());
    const carried = await model.carrying.save(names, draft.allowsPickle);
    const body = toJob(draft, model.get().proposal, model.context, carried?.prelude ?? null);
    const job = await send(each => store.api.submit(project, each), body, model.keyOf(body));
    // The job has a copy in its snapshot.
    model.carrying.forget();
    store.learn(job);
    onMade(job);
    done();
    Notification.emit(`${name}: queued as ${job.project}#${job.number}`, "success", {
      autoClose: SHOWN_MS,
      actions: [{ label: "Show", displayType: "accent", callback: () => show(job) }],
    });
  } catch (error) {
    if (isRefusal(error)) model.carrying.forget();
    done();
    Notification.emit(`${name} was not submitted. ${words(error)}`, "error", {
      autoClose: false,
      actions: [{ label: "Try again", displayType: "accent", callback: again }],
    });
  }
}

function opening(names: readonly string[], model: RunModel): string {
  if (names.length === 0) return "Submitting the job…";
  const values = names.length === 1 ? `the value of ${names[0]}` : `${names.length} values`;
  return model.carrier.isBusy
    ? `Waiting for the kernel, which is busy, to save ${values}…`
    : `Saving ${values}, then submitting the job…`;
}
