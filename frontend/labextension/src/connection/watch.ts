/** Follows the server of a tab from one to the next. */
import type { JupyterLab } from "@jupyterlab/application";
import { Notice } from "./notice";
import { isInStep } from "./sharing";
import { type Document, rescue, saveSteadily, unsaved } from "./unsaved";

/** How often one looks whether the same server is there: while the tab is looked at, and while it is away. */
const WATCH_MS = 5000;
const AWAY_MS = 1000;
const SAVED_WITHIN_MS = 15_000;
const CONNECTED_WITHIN_MS = 5000;
const SOON_MS = 200;

const NOT_SAVED =
  "The workspace has restarted, and something here could not be saved. Save it, then load again.";
const CHANGED =
  "The workspace has restarted, and what is open here was changed in the meantime. What you typed is saved as";

const wait = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms));

/** Whether something comes true within a time. */
async function comes(isThere: () => boolean, ms: number): Promise<boolean> {
  const until = Date.now() + ms;
  while (!isThere() && Date.now() < until) await wait(SOON_MS);
  return isThere();
}

/** Whether work is done, and well, within a time. */
const within = (ms: number, work: Promise<unknown>): Promise<boolean> =>
  Promise.race([
    work.then(
      () => true,
      () => false,
    ),
    wait(ms).then(() => false),
  ]);

/** When the server that answers here began; null while none does. */
async function startedAt(base: string): Promise<string | null> {
  try {
    const response = await fetch(`${base}api/status`, { cache: "no-store", credentials: "same-origin" });
    if (!response.ok) return null;
    const status = (await response.json()) as { started?: string };
    return status.started ?? null;
  } catch {
    return null;
  }
}

export class Watch {
  readonly #app: JupyterLab;
  readonly #base: string;
  readonly #load: () => void;
  readonly #notice = new Notice();
  #began: string | null = null;
  #isLooking = false;
  /** Why a person is to say when to load again; null where nobody is. */
  #left: string | null = null;
  /** What was not saved when the server went away. */
  readonly #unsaved = new Set<Document>();

  /** `load` loads the tab again. */
  constructor(app: JupyterLab, base: string, load = () => window.location.reload()) {
    this.#app = app;
    this.#base = base;
    this.#load = load;
  }

  async begin(): Promise<void> {
    while (this.#began === null) {
      this.#began = await startedAt(this.#base);
      if (this.#began === null) await wait(WATCH_MS);
    }
    document.addEventListener("visibilitychange", () => void this.look());
    setInterval(() => void this.look(), WATCH_MS);
  }

  /** Looks who answers; while nobody does, until somebody does. */
  async look(): Promise<void> {
    if (this.#isLooking || this.#began === null || document.hidden) return;
    this.#isLooking = true;
    try {
      const now = (await startedAt(this.#base)) ?? (await this.#waitForIt());
      if (now !== this.#began) await this.#comeBack(now);
      // What is in step with the server that had it needs no rescue, and what is marked is remembered again.
      else if (isInStep(this.#app.serviceManager.contents)) this.#unsaved.clear();
    } finally {
      this.#isLooking = false;
    }
  }

  /** Says that nobody answers until somebody does, and returns when that one began. */
  async #waitForIt(): Promise<string> {
    this.#notice.say("The server of this workspace is away. This tab comes back by itself when it is back.");
    let now: string | null = null;
    while (now === null) {
      this.#remember();
      await wait(AWAY_MS);
      now = await startedAt(this.#base);
    }
    if (this.#left) this.#leave(this.#left);
    else this.#notice.hush();
    return now;
  }

  /** Nothing typed is lost: the tab loads again only when all of it is saved. */
  async #comeBack(now: string): Promise<void> {
    this.#began = now;
    this.#remember();
    if (this.#unsaved.size === 0 && !this.#app.status.isDirty) return this.#load();
    this.#notice.say("The workspace has restarted. Saving, then loading this tab again…");
    const { serviceManager, status } = this.#app;
    const { contents } = serviceManager;
    if (await comes(() => isInStep(contents), CONNECTED_WITHIN_MS)) {
      await within(SAVED_WITHIN_MS, this.#saveAll());
      if (await comes(() => !status.isDirty && isInStep(contents), SAVED_WITHIN_MS)) this.#load();
      else this.#leave(NOT_SAVED);
      return;
    }
    // Saving would do nothing and take the marks away, where a shared document has no connection.
    const copies: string[] = [];
    const isSaved = await within(SAVED_WITHIN_MS, this.#rescueAll(copies));
    if (!isSaved || status.isDirty) this.#leave(NOT_SAVED);
    else if (copies.length > 0) this.#leave(`${CHANGED} ${copies.join(", ")}.`);
    else this.#load();
  }

  /** Saves in Lab's own way. What is shared and in step is with the server as it is typed. */
  #saveAll(): Promise<void> {
    this.#remember();
    const save = () => this.#app.commands.execute("docmanager:save-all").catch(() => undefined);
    return saveSteadily(
      this.#open().filter(each => !each.model.collaborative),
      save,
    );
  }

  /** Saves each document by itself and notes what was put beside one. Rejects where one could not be saved; the others are. */
  async #rescueAll(copies: string[]): Promise<void> {
    this.#remember();
    const saving = this.#open().map(async each => {
      const copy = await rescue(this.#app.serviceManager.contents, each);
      this.#unsaved.delete(each);
      if (copy !== null) copies.push(copy);
    });
    const done = await Promise.allSettled(saving);
    if (done.some(each => each.status === "rejected")) throw new Error("Not all could be saved");
  }

  #open(): Document[] {
    return [...this.#unsaved].filter(each => !each.isDisposed);
  }

  /** Notes what is not saved: marks may go away by saving that does nothing. */
  #remember(): void {
    for (const document of unsaved(this.#app.shell)) this.#unsaved.add(document);
  }

  /** Leaves it to the person when to load again. */
  #leave(why: string): void {
    this.#left = why;
    this.#notice.say(why, { label: "Load again", run: this.#load });
  }
}
