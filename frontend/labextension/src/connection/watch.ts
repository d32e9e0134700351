/** Follows the server of a tab from one to the next. */
import type { JupyterLab } from "@jupyterlab/application";
import { Notice } from "./notice";

/** How often one looks whether the same server is there: while the tab is looked at, and while it is away. */
const WATCH_MS = 5000;
const AWAY_MS = 1000;
const SAVED_WITHIN_MS = 15_000;

const wait = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms));

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
  readonly #notice = new Notice();
  #began: string | null = null;
  #isLooking = false;

  constructor(app: JupyterLab, base: string) {
    this.#app = app;
    this.#base = base;
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
      let now = await startedAt(this.#base);
      if (now === null)
        this.#notice.say(
          "The server of this workspace is away. This tab comes back by itself when it is back.",
        );
      while (now === null) {
        await wait(AWAY_MS);
        now = await startedAt(this.#base);
      }
      this.#notice.hush();
      if (now !== this.#began) await this.#comeBack(now);
    } finally {
      this.#isLooking = false;
    }
  }

  /** Nothing typed is lost: the tab loads again only when all of it is saved. */
  async #comeBack(now: string): Promise<void> {
    this.#began = now;
    this.#notice.say("The workspace has restarted. Saving, then loading this tab again…");
    await this.#app.commands.execute("docmanager:save-all").catch(() => undefined);
    const isDirty = () => this.#app.status.isDirty;
    const until = Date.now() + SAVED_WITHIN_MS;
    while (isDirty() && Date.now() < until) await wait(200);
    const load = () => window.location.reload();
    if (!isDirty()) load();
    else
      this.#notice.say(
        "The workspace has restarted, and something here could not be saved. Save it, then load again.",
        { label: "Load again", run: load },
      );
  }
}
