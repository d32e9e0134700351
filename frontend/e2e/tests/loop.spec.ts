/** The loop, end to end: workspace, notebook in the browser, job with a live chart, outputs in the next workspace. */
import type { Page } from "@playwright/test";
import { createWorkspace, expectRunning, freeName, jobBadge, openLab, PROJECT } from "../app.ts";
import { expect, test } from "../fixtures.ts";
import { Lab } from "../lab.ts";

test.describe.configure({ mode: "serial" });

const NOTEBOOK = "digits.ipynb";
const EPOCHS = 300;
let jobNumber = "";
let labName = "";

async function expectOwnOrigin(lab: Page, id: string): Promise<void> {
  const url = new URL(lab.url());
  expect(url.origin, "Lab never lives on the app's origin").not.toBe(
    new URL(lab.context().pages()[0]?.url() ?? "").origin,
  );
  expect(url.pathname).toContain(`/w/${id}/`);
  expect(url.search, "the code is used up and gone").not.toContain("code=");
  const names = (await lab.context().cookies(url.origin)).map(cookie => cookie.name);
  expect(names).not.toContain("cairn_session");
}

test("a workspace starts, Lab opens at its own origin and the notebook runs cell by cell", async ({
  page,
}) => {
  test.setTimeout(480_000);
  labName = await freeName(page, "lab");
  const id = await createWorkspace(page, labName);
  await expectRunning(page);
  const tab = await openLab(page);
  await expectOwnOrigin(tab, id);
  const lab = new Lab(tab);
  await lab.ready();
  await lab.open(NOTEBOOK, 4);
  for (let index = 0; index < 4; index += 1) await lab.run(index);
  await expect(lab.output(3)).toContainText("model saved");
  await lab.save();
});

test("the notebook runs as a job with another parameter value and its chart is live", async ({ page }) => {
  test.setTimeout(300_000);
  await page.goto(`/p/${PROJECT}/workspaces`);
  await page.getByRole("link", { name: labName, exact: true }).click();
  await page.getByRole("link", { name: "New job from this workspace" }).click();
  await page.getByLabel("Notebook", { exact: true }).fill(NOTEBOOK);
  await page.getByRole("button", { name: "Add a parameter" }).click();
  await page.getByLabel("Parameter name").fill("learning_rate");
  await page.getByLabel("Value of learning_rate").fill("0.05");
  await page.getByRole("button", { name: "Add a parameter" }).click();
  await page.getByLabel("Parameter name").nth(1).fill("epochs");
  await page.getByLabel("Value of epochs").fill(String(EPOCHS));
  await page.getByRole("button", { name: "Run job" }).click();

  await page.waitForURL(/\/jobs\/\d+$/);
  jobNumber = new URL(page.url()).pathname.split("/").at(-1) ?? "";
  await page.getByRole("link", { name: "Charts", exact: true }).first().click();
  const chart = page.getByRole("img", { name: /^(loss|accuracy)/ }).first();
  await expect(chart).toBeVisible({ timeout: 120_000 });
  // The page is never reloaded: what grows, grows by events.
  const points = async () => Number(await chart.getAttribute("data-points"));
  expect(await points(), "the chart is there while the job still trains").toBeLessThan(EPOCHS);
  await expect.poll(points, { timeout: 180_000 }).toBe(EPOCHS);
  await expect(jobBadge(page, "complete")).toBeVisible({ timeout: 120_000 });

  await page.getByRole("link", { name: "Overview" }).click();
  await expect(page.getByRole("definition").filter({ hasText: /^0\.05$/ })).toBeVisible();
});

test("the job's log, outputs, preview and code are on its page", async ({ page }) => {
  await page.goto(`/p/${PROJECT}/jobs/${jobNumber}/log`);
  await expect(page.getByRole("log")).toContainText("accuracy");
  await page.getByLabel("Search the log").fill("model saved");
  await expect(page.getByText("1 of 1")).toBeVisible();

  await page
    .getByRole("navigation", { name: "About this job" })
    .getByRole("link", { name: /Outputs/ })
    .click();
  await expect(page.getByRole("link", { name: /model\.joblib/ })).toBeVisible();
  await page.getByRole("link", { name: new RegExp(NOTEBOOK) }).click();
  await expect(page.getByText("parameters of this job")).toBeVisible();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "Download" }).click(),
  ]);
  expect(download.suggestedFilename()).toBe(NOTEBOOK);

  await page.getByRole("link", { name: "Code" }).click();
  await expect(page.getByRole("link", { name: /train\.py/ })).toBeVisible();
});

test("running again with edited parameters makes a new job", async ({ page }) => {
  test.setTimeout(300_000);
  await page.goto(`/p/${PROJECT}/jobs/${jobNumber}`);
  await page.getByRole("button", { name: "Run again" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Value of epochs").fill("3");
  await dialog.getByRole("button", { name: "Run", exact: true }).click();
  await page.waitForURL(url => /\/jobs\/\d+$/.test(url.pathname) && !url.pathname.endsWith(`/${jobNumber}`));
  await expect(page.getByRole("link", { name: `#${jobNumber} again` })).toBeVisible();
  await expect(jobBadge(page, "complete")).toBeVisible({ timeout: 180_000 });
});

test("a second workspace with the job's outputs attached loads the model", async ({ page }) => {
  test.setTimeout(480_000);
  await page.goto(`/p/${PROJECT}/workspaces?new=1`);
  const dialog = page.getByRole("dialog", { name: "New workspace" });
  await dialog.getByLabel("Name", { exact: true }).fill(await freeName(page, "use-model"));
  await dialog.getByRole("button", { name: "Attach data or outputs" }).click();
  await dialog.getByRole("radio", { name: new RegExp(`^#${jobNumber} `) }).check();
  await dialog.getByLabel("Folder name").fill("digits");
  await dialog.getByRole("button", { name: "Add", exact: true }).click();
  await dialog.getByRole("button", { name: "Create and start" }).click();
  await expect(page.getByText("/cairn/inputs/digits")).toBeVisible();
  await expectRunning(page);

  const lab = new Lab(await openLab(page));
  await lab.ready();
  await lab.open("use-model.ipynb", 2);
  for (let index = 0; index < 2; index += 1) await lab.run(index);
  await expect(lab.output(1)).toContainText(/accuracy on all pictures: 0\.9/);
});
