/**
 * What JupyterLab in a workspace does beside its own, as a module that Lab loads as it stands: no build, so that it is the same for every
 * environment. It talks to the workspace's own server only.
 *
 * - While the server is away, a quiet notice takes the place of Lab's question whether to restart it.
 * - When another server answers at the same address, because the workspace was restarted there or elsewhere, what is unsaved is saved and the
 *   tab loads again: same address, same layout, the files as they were.
 * - "Restart on…" in the File menu leads to the app.
 *
 * Source: JupyterLab 4, "Prebuilt extensions" and `@jupyterlab/hub-extension`; webpack's container interface (`init`, `get`).
 */
(() => {
  const NAME = "cairn-lab";
  /** How often one looks whether the same server is there: while the tab is looked at, and while it is away. */
  const WATCH_MS = 5000;
  const AWAY_MS = 1000;
  const SAVED_WITHIN_MS = 15_000;

  /** A module that Lab shares with its extensions. */
  const shared = async (scope, name) => {
    const [version] = Object.values(scope[name] ?? {});
    if (!version) throw new Error(`${NAME}: this JupyterLab does not share ${name}`);
    return (await version.get())();
  };

  const wait = ms => new Promise(resolve => setTimeout(resolve, ms));

  /** When the server that answers here began; null while none does. */
  async function startedAt(base) {
    try {
      const response = await fetch(`${base}api/status`, { cache: "no-store", credentials: "same-origin" });
      return response.ok ? ((await response.json()).started ?? null) : null;
    } catch {
      return null;
    }
  }

  /** A notice in the corner. Lab's own is fetched from the server when first used, and the server is away. */
  class Notice {
    #element = null;

    say(message, action) {
      this.hush();
      const box = document.createElement("div");
      box.setAttribute("role", "status");
      box.textContent = message;
      Object.assign(box.style, {
        position: "fixed",
        right: "16px",
        bottom: "40px",
        zIndex: "10000",
        maxWidth: "340px",
        padding: "12px 16px",
        borderRadius: "6px",
        border: "1px solid var(--jp-border-color2)",
        background: "var(--jp-layout-color1)",
        color: "var(--jp-ui-font-color1)",
        font: "var(--jp-ui-font-size1)/1.5 var(--jp-ui-font-family)",
        boxShadow: "var(--jp-elevation-z6)",
      });
      if (action) {
        const button = document.createElement("button");
        button.textContent = action.label;
        button.className = "jp-mod-styled jp-mod-accept";
        Object.assign(button.style, { display: "block", marginTop: "8px" });
        button.addEventListener("click", action.run);
        box.append(button);
      }
      document.body.append(box);
      this.#element = box;
    }

    hush() {
      this.#element?.remove();
      this.#element = null;
    }
  }

  /** Follows the server of a tab from one to the next. */
  class Watch {
    #app;
    #base;
    #began = null;
    #notice = new Notice();
    #isLooking = false;

    constructor(app, base) {
      this.#app = app;
      this.#base = base;
    }

    async begin() {
      while (this.#began === null) {
        this.#began = await startedAt(this.#base);
        if (this.#began === null) await wait(WATCH_MS);
      }
      document.addEventListener("visibilitychange", () => void this.look());
      setInterval(() => void this.look(), WATCH_MS);
    }

    /** Looks who answers; while nobody does, until somebody does. */
    async look() {
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
    async #comeBack(now) {
      this.#began = now;
      this.#notice.say("The workspace has restarted. Saving, then loading this tab again…");
      await this.#app.commands.execute("docmanager:save-all").catch(() => undefined);
      const until = Date.now() + SAVED_WITHIN_MS;
      while (this.#app.status.isDirty && Date.now() < until) await wait(200);
      const load = () => window.location.reload();
      if (!this.#app.status.isDirty) load();
      else
        this.#notice.say(
          "The workspace has restarted, and something here could not be saved. Save it, then load again.",
          {
            label: "Load again",
            run: load,
          },
        );
    }
  }

  async function plugins(scope) {
    const application = await shared(scope, "@jupyterlab/application");
    const apputils = await shared(scope, "@jupyterlab/apputils");
    const mainmenu = await shared(scope, "@jupyterlab/mainmenu");
    const { IPaths } = application.JupyterFrontEnd;

    const connection = {
      id: `${NAME}:connection`,
      description: "Brings the tab back when the workspace was restarted.",
      autoStart: true,
      requires: [IPaths],
      provides: application.IConnectionLost,
      activate: (app, paths) => {
        const watch = new Watch(app, paths.urls.base);
        void app.restored.then(() => watch.begin());
        return () => watch.look();
      },
    };

    const restart = {
      id: `${NAME}:restart`,
      description: "Adds “Restart on…” to the File menu and the palette.",
      autoStart: true,
      requires: [IPaths],
      optional: [mainmenu.IMainMenu, apputils.ICommandPalette],
      activate: (app, paths, menu, palette) => {
        const { hubHost = "", hubPrefix = "", hubUser = "" } = paths.urls;
        if (!hubPrefix || !hubUser) return;
        const command = "cairn:restart-on";
        app.commands.addCommand(command, {
          label: "Restart on…",
          caption: "Restart this workspace, on this machine or another; files and address stay",
          execute: () => window.open(`${hubHost}${hubPrefix}spawn/${encodeURIComponent(hubUser)}`, "_blank"),
        });
        menu?.fileMenu.addGroup([{ command }], 90);
        palette?.addItem({ command, category: "Cairn" });
      },
    };
    return [connection, restart];
  }

  let scope = {};
  const container = {
    init: given => {
      scope = given;
    },
    get: async () => {
      const made = await plugins(scope);
      return () => ({ __esModule: true, default: made });
    },
  };
  window._JUPYTERLAB ??= {};
  window._JUPYTERLAB[NAME] = container;
})();
