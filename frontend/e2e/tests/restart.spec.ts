/** A workspace moves to a machine with a card and back: files, address and the open tab stay; what is not free is waited for. */
import { execFileSync } from "node:child_process";
import type { Page } from "@playwright/test";
import { createWorkspace, expectRunning, freeName, jobBadge, openLab, PROJECT } from "../app.ts";
import { gpuDocker, gpuMachine } from "../env.ts";
import { expect, expectAccessible, test } from "../fixtures.ts";
import { Lab } from "../lab.ts";

test.describe.configure({ mode: "serial" });

const NOTEBOOK = "use-model.ipynb";
const LOOK =
  'import os; print("card", os.environ.get("NVIDIA_VISIBLE_DEVICES")); print(open("kept.txt").read())';
let mover = "";

async function goTo(page: Page, name: string): Promise<void> {
  await page.goto(`/p/${PROJECT}/workspaces`);
  await page.getByRole("link", { name, exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
}

async function choose(page: Page, button: RegExp, type: string): Promise<void> {
  await page.getByRole("main").getByRole("button", { name: button }).first().click();
  await page.getByRole("menuitem", { name: new RegExp(`^${type}(?!\\S)`) }).click();
}

/** The same tab, loaded again: a mark in its page is gone. */
async function comesBack(tab: Page, url: string): Promise<void> {
  await tab.waitForFunction(() => !("cairnMark" in window), null, { timeout: 180_000 });
  await expect.poll(() => tab.url(), { timeout: 60_000 }).toBe(url);
}

/** The cards that the engine was asked for, by all its containers. */
function requested(engine: string): unknown[] {
  const docker = (...words: string[]) =>
    execFileSync("docker", ["-H", engine, ...words], { encoding: "utf8" });
  const ids = docker("ps", "--quiet", "--filter", "label=cairn.run").split("\n").filter(Boolean);
  const format = "{{json .HostConfig.DeviceRequests}}";
  return ids.flatMap(id => JSON.parse(docker("inspect", "--format", format, id)) ?? []);
}

const mark = (tab: Page) => tab.evaluate(() => Object.assign(window, { cairnMark: 1 }));

test("one click restarts a workspace on a card, and the open tab comes back by itself", async ({ page }) => {
  test.setTimeout(480_000);
  mover = await freeName(page, "mover");
  const id = await createWorkspace(page, mover);
  await expectRunning(page);
  const lab = new Lab(await openLab(page));
  await lab.ready();
  await lab.open(NOTEBOOK, 2);
  const before = await lab.append('print(open("kept.txt", "w").write("kept as it was"))');
  await lab.run(before);
  await lab.save();
  const cells = await lab.cells().count();
  const url = lab.page.url();
  await mark(lab.page);

  await choose(page, /^Restart on/, "gpu");
  // What is typed while nobody answers is saved once somebody does, before the tab loads again.
  await expect(lab.page.getByText(/The server of this workspace is away/)).toBeVisible({ timeout: 60_000 });
  await lab.append("typed = 'while it was away'");
  await expect(page.getByRole("main").getByText(`gpu on ${gpuMachine}`).first()).toBeVisible({
    timeout: 180_000,
  });
  await expectRunning(page);

  await comesBack(lab.page, url);
  await lab.ready();
  await expect(lab.cells()).toHaveCount(cells + 1, { timeout: 60_000 });
  await expect(lab.cells().nth(cells)).toContainText("while it was away");
  await lab.idle();
  const look = await lab.append(LOOK);
  await lab.run(look);
  await expect(lab.output(look)).toContainText("kept as it was");
  await expect(lab.output(look)).toContainText(gpuDocker ? "card GPU-7" : "card 7");
  if (gpuDocker) {
    const card = { Driver: "nvidia", DeviceIDs: ["GPU-7"], Capabilities: [["gpu", "compute", "utility"]] };
    expect(requested(gpuDocker)).toEqual([expect.objectContaining(card)]);
  }
  await lab.save();

  await page.goto("/admin/machines");
  await expect(page.getByRole("list", { name: "1 GPU" }).getByRole("link", { name: mover })).toBeVisible();
  await expectAccessible(page);
  await page.goto(`/open/${id}?choose=1`);
  await expect(page.getByRole("radio", { name: /^gpu-many/ })).toBeDisabled();
  await expect(page.getByText(/Cannot fit: .*8 GPUs/)).toBeVisible();
  await expectAccessible(page);
});

test("who wants the same card waits in a queue, can cancel, and can start elsewhere", async ({ page }) => {
  test.setTimeout(480_000);
  const name = await freeName(page, "waiter");
  await page.goto(`/p/${PROJECT}/workspaces?new=1`);
  const dialog = page.getByRole("dialog", { name: "New workspace" });
  await dialog.getByLabel("Name", { exact: true }).fill(name);
  await dialog.getByRole("radio", { name: /^gpu(?!-)/ }).check();
  await dialog.getByRole("button", { name: "Create and start" }).click();
  await expect(page.getByRole("listitem").filter({ hasText: /Waiting for a machine: 1st of 1/ })).toBeVisible(
    {
      timeout: 60_000,
    },
  );
  await expectAccessible(page);
  await page.getByRole("main").getByRole("button", { name: "Cancel" }).first().click();
  await expect(page.getByRole("main").locator("[data-state=stopped]")).toBeVisible({ timeout: 60_000 });

  await choose(page, /^Start on/, "local");
  await expectRunning(page);
  await page.getByRole("main").getByRole("button", { name: "Stop", exact: true }).click();
  await expect(page.getByRole("main").locator("[data-state=stopped]")).toBeVisible({ timeout: 60_000 });
  await expect(page.getByRole("table").getByRole("row")).toHaveCount(2);
});

test("a job that waits for the card says so and can be cancelled", async ({ page }) => {
  await page.goto(`/p/${PROJECT}/jobs/new`);
  await page.getByLabel("From workspace").selectOption({ label: mover });
  await page.getByRole("radio", { name: "A command" }).check();
  await page.getByLabel("Command", { exact: true }).fill("true");
  await page.getByRole("radio", { name: /^gpu(?!-)/ }).check();
  await page.getByRole("button", { name: "Run job" }).click();
  await page.waitForURL(/\/jobs\/\d+$/);
  await expect(page.getByText(/1st of 1 in the queue/)).toBeVisible();
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(jobBadge(page, "stopped")).toBeVisible({ timeout: 60_000 });
});

test("the runs are kept with what they cost, and Lab’s own menu leads back to the choice", async ({
  page,
}) => {
  test.setTimeout(300_000);
  await goTo(page, mover);
  const runs = page.getByRole("table").getByRole("row");
  await expect(runs).toHaveCount(3);
  await expect(runs.nth(1)).toContainText(`gpu on ${gpuMachine}`);
  await expect(runs.nth(1)).toContainText(/0\.\d\d|< 0\.01/);
  await expect(runs.nth(2)).toContainText("local on testbed");

  const lab = new Lab(await openLab(page));
  await lab.ready();
  await lab.page.getByRole("menuitem", { name: "File", exact: true }).click();
  const [asking] = await Promise.all([
    lab.page.waitForEvent("popup"),
    lab.page.locator(".lm-Menu-itemLabel", { hasText: "Restart on…" }).click(),
  ]);
  await expect(asking.getByRole("heading", { level: 1, name: mover })).toBeVisible();
  await mark(lab.page);
  await asking.getByRole("radio", { name: /^local/ }).check();
  await asking.getByRole("button", { name: "Restart on local" }).click();
  await expect(asking.getByText("It runs on testbed")).toBeVisible({ timeout: 180_000 });
  await lab.page.waitForFunction(() => !("cairnMark" in window), null, { timeout: 180_000 });
  await lab.ready();
  await page.getByRole("main").getByRole("button", { name: "Stop", exact: true }).click();
  await expect(page.getByRole("main").locator("[data-state=stopped]")).toBeVisible({ timeout: 60_000 });
});
