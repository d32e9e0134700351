/** Driving a real JupyterLab as a person does: with its file browser, its cells and Shift+Enter. */
import { expect, type Locator, type Page } from "@playwright/test";

export class Lab {
  constructor(readonly page: Page) {}

  /** Waits until Lab is there. The window is tall, because Lab keeps only the cells in sight in its page. */
  async ready(): Promise<void> {
    await this.page.setViewportSize({ width: 1280, height: 2400 });
    await expect(this.page.locator("#jp-main-dock-panel")).toBeVisible({ timeout: 60_000 });
    await expect(this.page.locator("#jupyterlab-splash")).toHaveCount(0, { timeout: 60_000 });
  }

  /** Opens a notebook with this many code cells from the file browser and waits until all are there and its kernel rests. */
  async open(notebook: string, codeCells: number): Promise<void> {
    await this.page.locator(".jp-DirListing-itemText", { hasText: notebook }).dblclick();
    await expect(this.panel()).toBeVisible({ timeout: 30_000 });
    await expect(this.cells()).toHaveCount(codeCells, { timeout: 30_000 });
    await this.idle();
  }

  panel(): Locator {
    return this.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)");
  }

  cells(): Locator {
    return this.panel().locator(".jp-Cell.jp-CodeCell");
  }

  async idle(): Promise<void> {
    await expect(this.panel().locator(".jp-Spinner")).toHaveCount(0, { timeout: 60_000 });
    await expect(this.page.locator("#jp-main-statusbar").getByText(/\| Idle$/)).toBeVisible({
      timeout: 60_000,
    });
  }

  /** Runs one code cell with Shift+Enter. Does not wait for its end. */
  async start(index: number): Promise<void> {
    const cell = this.cells().nth(index);
    await cell.scrollIntoViewIfNeeded();
    await cell.locator(".jp-InputArea-prompt").click();
    await this.page.keyboard.press("Shift+Enter");
  }

  /** Waits until a code cell has its number, that is until it has run. */
  async finished(index: number, timeout = 120_000): Promise<void> {
    await expect(this.cells().nth(index).locator(".jp-InputArea-prompt")).toHaveText(/\[\d+\]:/, { timeout });
  }

  async run(index: number): Promise<void> {
    await this.start(index);
    await this.finished(index);
  }

  output(index: number): Locator {
    return this.cells().nth(index).locator(".jp-Cell-outputArea");
  }

  /** Replaces the source of a code cell. */
  async write(index: number, source: string): Promise<void> {
    const cell = this.cells().nth(index);
    await cell.scrollIntoViewIfNeeded();
    await cell.locator(".cm-content").click();
    await this.page.keyboard.press("ControlOrMeta+a");
    await this.page.keyboard.insertText(source);
  }

  /** Adds a code cell below the last one that ran, with this source, and returns its index. */
  async append(source: string): Promise<number> {
    const index = await this.cells().count();
    await this.cells()
      .nth(index - 1)
      .locator(".jp-InputArea-prompt")
      .click();
    await this.page.keyboard.press("Escape");
    await this.page.keyboard.press("b");
    await expect(this.cells()).toHaveCount(index + 1);
    await this.write(index, source);
    return index;
  }

  /** Answers Lab's question whether to overwrite a file that the recorder has written meanwhile, as a person would. */
  async overwriteWhenAsked(): Promise<void> {
    const question = this.page.locator(".jp-Dialog", { hasText: "has changed on disk" });
    await this.page.addLocatorHandler(question, dialog =>
      dialog.getByRole("button", { name: "Overwrite" }).click(),
    );
  }

  async save(): Promise<void> {
    await this.page.keyboard.press("ControlOrMeta+s");
    await expect(this.page.locator(".lm-TabBar-tab.lm-mod-current.jp-mod-dirty")).toHaveCount(0);
  }
}

/** A notebook of these cells. The cell at `parameters` is tagged so. */
export function notebookOf(sources: string[], parameters?: number) {
  const cells = sources.map((source, index) => ({
    cell_type: "code",
    id: `cell-${index}`,
    metadata: index === parameters ? { tags: ["parameters"] } : {},
    source,
    outputs: [],
    execution_count: null,
  }));
  const metadata = { kernelspec: { name: "python3", display_name: "Python 3", language: "python" } };
  return { nbformat: 4, nbformat_minor: 5, metadata, cells };
}

/** Puts a notebook of these cells into the home of the workspace that a tab shows, as Lab itself would. */
export async function putNotebook(
  page: Page,
  path: string,
  sources: string[],
  parameters?: number,
): Promise<void> {
  const content = notebookOf(sources, parameters);
  const body = JSON.stringify({ type: "notebook", format: "json", content });
  const status = await page.evaluate(
    async given => {
      const base = /^\/w\/[^/]+\//.exec(location.pathname)?.[0] ?? "/";
      const token = /_xsrf=([^;]+)/.exec(document.cookie)?.[1] ?? "";
      const headers = { "x-xsrftoken": token, "content-type": "application/json" };
      const response = await fetch(`${base}api/contents/${given.path}`, {
        method: "PUT",
        headers,
        body: given.body,
      });
      return response.status;
    },
    { path, body },
  );
  expect(status).toBeLessThan(300);
}
