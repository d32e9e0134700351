/** The oldest complaint about Jupyter: what a cell says while nobody looks. Tab closed, gateway killed, tab opened again: every line is there. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Page } from "@playwright/test";
import { createWorkspace, expectRunning, freeName, openLab, PROJECT } from "../app.ts";
import { dataFolder, restartCommand, screenshotFolder } from "../env.ts";
import { expect, test } from "../fixtures.ts";
import { Lab, putNotebook } from "../lab.ts";

const LINES = 90;
const LOOP = `import time\nfor i in range(${LINES}):\n    print("line", i, flush=True)\n    time.sleep(1)`;
const WHOLE = Array.from({ length: LINES }, (_, line) => `line ${line}\n`).join("");

interface Cell {
  outputs: { output_type: string; name?: string; text?: string | string[] }[];
  execution_count: number | null;
}

const pause = (seconds: number) => new Promise(done => setTimeout(done, seconds * 1000));

test("a loop goes on without a tab and through a killed gateway, and every line is there", async ({
  page,
}) => {
  test.skip(!dataFolder || !restartCommand, "needs the server's data folder and a way to kill it");
  test.setTimeout(600_000);
  const workspace = await createWorkspace(page, await freeName(page, "lasting"));
  await expectRunning(page);
  const open = async (): Promise<[Page, Lab]> => {
    await page.goto(`/p/${PROJECT}/workspaces/${workspace}`);
    await expectRunning(page);
    const tab = await openLab(page);
    const lab = new Lab(tab);
    await lab.ready();
    return [tab, lab];
  };
  const [first, lab] = await open();
  await putNotebook(first, "work/lasting.ipynb", [LOOP, "6 * 7"]);
  await lab.open("lasting.ipynb", 2);
  await lab.start(0);
  await lab.start(1);
  const began = Date.now();
  const until = (seconds: number) => pause(seconds - (Date.now() - began) / 1000);
  await until(5);
  await expect(lab.output(0)).toContainText("line 2");
  await first.close();
  await until(20);
  await promisify(execFile)("sh", ["-c", restartCommand ?? ""]);
  await until(60);
  const [second, again] = await open();
  const panel = second.locator(".jp-NotebookPanel:not(.lm-mod-hidden)");
  if (!(await panel.isVisible()))
    await second.locator(".jp-DirListing-itemText", { hasText: "lasting.ipynb" }).dblclick();
  // What was said meanwhile is there, and it goes on.
  const seen = Math.floor((Date.now() - began) / 1000) - 5;
  await expect(again.output(0)).toContainText(`line ${seen}`, { timeout: 30_000 });
  await second.screenshot({ path: join(screenshotFolder, "nothing-lost.png") });
  await again.finished(1, 120_000);
  await expect(again.output(0)).toContainText(`line ${LINES - 1}`);
  expect((await again.output(0).textContent())?.trim()).toBe(WHOLE.trim());
  await expect(again.output(1)).toContainText("42");

  // And in the file, as if nothing had happened.
  const file = join(dataFolder ?? "", "homes", workspace, "work", "lasting.ipynb");
  await expect(async () => {
    const { cells } = JSON.parse(readFileSync(file, "utf8")) as { cells: Cell[] };
    const [loop, last] = cells;
    expect(loop?.outputs.map(output => [output.output_type, [output.text].flat().join("")])).toEqual([
      ["stream", WHOLE],
    ]);
    expect(loop?.execution_count).toBe(1);
    expect(last?.execution_count).toBe(2);
  }).toPass({ timeout: 20_000 });
});
