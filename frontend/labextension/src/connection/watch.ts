/** Follows the server of a tab from one to the next. */
import type { JupyterLab } from "@jupyterlab/application";
import { Notice } from "./notice";
import { isInStep } from "./sharing";

/** How often one looks whether the same server is there: while the tab is looked at, and while it is away. */
const WATCH_MS = 5000;
const AWAY_MS = 1000;
const SAVED_WITHIN_MS = 15_000;
const SOON_MS = 200;

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
  readonly #load: () => void;
  readonly #notice = new Notice();
  #began: string | null = null;
  #isLooking = false;
  /** Whether what is here is of a server that is gone, and a person is to say when to load again. */
  #isLeft = false;

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
    } finally {
      this.#isLooking = false;
    }
  }

  /** Says that nobody answers until somebody does, and returns when that one began. */
  async #waitForIt(): Promise<string> {
    this.#notice.say("The server of this workspace is away. This tab comes back by itself when it is back.");
    let now: string | null = null;
    while (now === null) {
      await wait(AWAY_MS);
      now = await startedAt(this.#base);
    }
    if (this.#isLeft) this.#leave();
    else this.#notice.hush();
    return now;
  }

  /**
   * Nothing typed is lost: the tab loads again only when all of it is saved. Lab's mark for what is not saved is no proof by itself: where a shared
   * document has no connection yet, saving it does nothing and takes the mark away.
   */
  async #comeBack(now: string): Promise<void> {
    this.#began = now;
    this.#notice.say("The workspace has restarted. Saving, then loading this tab again…");
    const { commands, serviceManager, status } = this.#app;
    const until = Date.now() + SAVED_WITHIN_MS;
    const comes = async (isThere: () => boolean) => {
      while (!isThere() && Date.now() < until) await wait(SOON_MS);
      return isThere();
    };
    if (!(await comes(() => isInStep(serviceManager.contents)))) return this.#leave();
    const saving = commands.execute("docmanager:save-all").catch(() => undefined);
    await Promise.race([saving, wait(SAVED_WITHIN_MS)]);
    if (await comes(() => !status.isDirty && isInStep(serviceManager.contents))) this.#load();
    else this.#leave();
  }

  /** Leaves it to the person when to load again. */
  #leave(): void {
    this.#isLeft = true;
    this.#notice.say(
      "The workspace has restarted, and something here could not be saved. Save it, then load again.",
      { label: "Load again", run: this.#load },
    );
  }
}
