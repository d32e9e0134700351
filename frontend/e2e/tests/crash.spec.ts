/** The server dies, or is replaced by a newer one, while a cell and a job run: both go on, Lab comes back by itself, the log has every line once. */
import { execSync } from "node:child_process";
import type { BrowserContext, Page } from "@playwright/test";
import { createWorkspace, expectRunning, freeName, jobBadge, openLab, PROJECT } from "../app.ts";
import { restartCommand, upgradeCommand } from "../env.ts";
import { expect, test } from "../fixtures.ts";
import { Lab } from "../lab.ts";

const LINES = 120;
const TICKS = `import time; [(print("tick", i, flush=True), time.sleep(0.25)) for i in range(${LINES})]; print("all ticks done")`;

const WAYS = [
  { what: "a kill -9", name: "crash", command: restartCommand },
  { what: "an upgrade", name: "upgrade", command: upgradeCommand },
];

for (const { what, name, command } of WAYS) {
  test(`Lab and a job live through ${what} of the server`, async ({ page, context }) => {
    test.skip(!command, "CAIRN_E2E_RESTART and CAIRN_E2E_UPGRADE say how to end and start the server");
    test.setTimeout(480_000);
    await livesThrough(page, context, await freeName(page, name), command ?? "");
  });
}

async function livesThrough(
  page: Page,
  context: BrowserContext,
  name: string,
  command: string,
): Promise<void> {
  await createWorkspace(page, name);
  await expectRunning(page);
  const lab = new Lab(await openLab(page));
  await lab.ready();
  await lab.overwriteWhenAsked();
  await lab.open("use-model.ipynb", 2);
  const cell = await lab.append(TICKS);
  await lab.save();

  const job = await context.newPage();
  await job.goto(`/p/${PROJECT}/jobs/new`);
  await job.getByLabel("From workspace").selectOption({ label: name });
  await job.getByRole("radio", { name: "A command" }).check();
  await job.getByLabel("Command", { exact: true }).fill(`python -u -c '${TICKS}'`);
  await job.getByRole("button", { name: "Run job" }).click();
  await job.waitForURL(/\/jobs\/\d+$/);
  await job.getByRole("link", { name: "Log", exact: true }).click();
  await expect(job.getByRole("log")).toContainText("tick 3", { timeout: 60_000 });

  await lab.start(cell);
  await expect(lab.output(cell)).toContainText("tick 2", { timeout: 60_000 });

  execSync(command, { stdio: "inherit", timeout: 60_000 });

  // Nothing is reloaded and nobody clicks: both pages find the server again by themselves.
  await expect(lab.output(cell)).toContainText("all ticks done", { timeout: 180_000 });
  await lab.finished(cell);
  await expect(jobBadge(job, "complete")).toBeVisible({ timeout: 180_000 });
  await expect(job.getByRole("log")).toContainText("all ticks done");

  const number = new URL(job.url()).pathname.split("/").at(-2) ?? "";
  const page1 = await job.request.get(`/api/v1/projects/${PROJECT}/jobs/${number}/log?limit=4194304`);
  const body = (await page1.json()) as { items: { stream: string; text: string }[] };
  const ticks = body.items
    .filter(line => /^tick \d+$/.test(line.text))
    .map(line => Number(line.text.slice(5)));
  expect(ticks).toEqual(Array.from({ length: LINES }, (_, index) => index));
}
