/** What a job leaves behind: one that is held at a cell that failed says so everywhere and goes on, and what it read and left can be walked through. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { createWorkspace, expectRunning, freeName, jobBadge, openLab, PROJECT } from "../app.ts";
import { expect, expectAccessible, test } from "../fixtures.ts";
import { Lab, notebookOf, putNotebook } from "../lab.ts";

test.describe.configure({ mode: "serial" });

const DATASET = `trail-${Date.now().toString(36)}`;
const NOTEBOOK = "held.ipynb";
const BEFORE = ["labels = 7", "print('before the mistake')"];
const WRONG = "print(lables)";
const RIGHT = "print('after it', labels)";

/** What is removed in the end; empty while there is nothing. */
let root = "";
let folder = "";
let labName = "";
let workspaceId = "";
let number = "";

test.beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "cairn-e2e-trail-"));
  folder = join(root, "labels");
  mkdirSync(folder);
  writeFileSync(join(folder, "labels.csv"), `file,label\n${DATASET},7\n`);
});
test.afterAll(() => {
  if (root) rmSync(root, { recursive: true });
});

const graph = (page: Page) => page.getByRole("region", { name: "Lineage graph" });
const node = (page: Page, name: string) => graph(page).getByRole("link", { name: new RegExp(`^${name}\\b`) });

async function makeDataset(page: Page): Promise<void> {
  await page.goto(`/p/${PROJECT}/data?new=1`);
  const dialog = page.getByRole("dialog", { name: "New dataset" });
  await dialog.getByLabel("Name", { exact: true }).fill(DATASET);
  await dialog.getByRole("button", { name: "Create dataset" }).click();
  await page.getByLabel("A folder to upload").setInputFiles(folder);
  await page.getByRole("button", { name: "Upload 1 file" }).click();
  await page.waitForURL(`**/data/${DATASET}/1`);
}

test("a version that stands alone says what would connect it", async ({ page }) => {
  await makeDataset(page);
  await page.getByRole("link", { name: "Lineage", exact: true }).click();
  await expect(page).toHaveURL(/tab=lineage/);
  await expect(page.getByText("It stands alone")).toBeVisible();
  await expectAccessible(page);
});

test("a notebook is held where one asked for it, and its lists and its page say held", async ({ page }) => {
  test.setTimeout(480_000);
  labName = await freeName(page, "trail");
  workspaceId = await createWorkspace(page, labName);
  await expectRunning(page);
  const tab = await openLab(page);
  await new Lab(tab).ready();
  await putNotebook(tab, `work/${NOTEBOOK}`, [...BEFORE, WRONG]);
  await tab.close();

  await page.goto(`/p/${PROJECT}/jobs/new?workspace=${workspaceId}&notebook=${NOTEBOOK}`);
  await expect(page.getByLabel("Hold on error")).toHaveValue("0");
  await page.getByLabel("Hold on error").selectOption("15 minutes");
  await expect(page.getByText("So is the machine, and it is paid for.")).toBeVisible();
  await page.getByRole("button", { name: "Attach data or outputs" }).click();
  const picker = page.getByRole("dialog", { name: "Attach data or outputs" });
  await picker.getByLabel("Data or outputs").fill(DATASET);
  await picker.getByRole("radio", { name: `${DATASET}:1` }).check();
  await picker.getByLabel("Folder name").fill("labels");
  await picker.getByRole("button", { name: "Add", exact: true }).click();
  const sent = page.waitForRequest(request => request.method() === "POST" && request.url().endsWith("/jobs"));
  await page.getByRole("button", { name: "Run job" }).click();
  expect((await sent).postDataJSON()).toMatchObject({ notebook: NOTEBOOK, hold_ms: 900_000 });

  await page.waitForURL(/\/jobs\/\d+$/);
  number = new URL(page.url()).pathname.split("/").at(-1) ?? "";
  // The page is never reloaded: that it is held comes by an event.
  await expect(jobBadge(page, "held")).toBeVisible({ timeout: 180_000 });
  await expect(page.getByText(`Held at cell 3 of 3: ${WRONG}`)).toBeVisible();
  await expectAccessible(page);

  await page.goto(`/p/${PROJECT}/jobs?filter=state:held`);
  const row = page.getByRole("row").filter({ hasText: `#${number}` });
  await expect(row.locator("[data-state=held]")).toBeVisible();
  await page.goto("/");
  const latest = page.getByRole("listitem").filter({ hasText: `#${number}` });
  await expect(latest.locator("[data-state=held]")).toBeVisible();
  await expectAccessible(page);

  await page.goto(`/p/${PROJECT}/jobs/${number}/lineage`);
  await expect(graph(page).locator("[data-state=held]")).toBeVisible();
});

test("it goes on with a corrected notebook and is held no more", async ({ page }) => {
  test.setTimeout(240_000);
  await page.goto(`/p/${PROJECT}/jobs/${number}`);
  await expect(jobBadge(page, "held")).toBeVisible();
  const corrected = JSON.stringify(notebookOf([...BEFORE, RIGHT]));
  await page
    .getByLabel("The corrected notebook")
    .setInputFiles({ name: NOTEBOOK, mimeType: "application/json", buffer: Buffer.from(corrected) });
  await expect(jobBadge(page, "complete")).toBeVisible({ timeout: 120_000 });
  await expect(page.getByText("Held at cell")).toHaveCount(0);
});

test("one walks by keyboard from the data to the job that read it, and to where its code came from", async ({
  page,
}) => {
  await page.goto(`/p/${PROJECT}/data/${DATASET}/1?tab=lineage`);
  const data = node(page, `Version ${DATASET}:1`);
  await expect(data).toHaveAttribute("aria-current", "true");
  const job = node(page, `Job #${number}`);
  await expect(job).toContainText("complete");
  await expect(job).toContainText(`read ${DATASET}:1`);
  await expectAccessible(page);
  await data.focus();
  await page.keyboard.press("ArrowRight");
  await expect(job).toBeFocused();
  await page.keyboard.press("Enter");

  await page.waitForURL(`**/p/${PROJECT}/jobs/${number}/lineage`);
  await expect(job, "one walks on from where one is").toBeFocused();
  await expect(job).toHaveAttribute("aria-current", "true");
  await expect(job).toContainText(/code [0-9a-f]{8}/);
  await expect(graph(page).getByRole("listitem", { name: "1 step before" })).toContainText(DATASET);
  await page.keyboard.press("ArrowLeft");
  await expect(job).not.toBeFocused();
  await page.emulateMedia({ colorScheme: "dark" });
  await expectAccessible(page);
  await node(page, `Workspace ${labName}`).click();
  await page.waitForURL(`**/workspaces/${workspaceId}`);
});

test("where there is no room it is an outline, and how far one looks stands in the address", async ({
  page,
}) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`/p/${PROJECT}/jobs/${number}/lineage?depth=1`);
  await expect(graph(page)).toHaveCount(0);
  const before = page.getByRole("region", { name: "What it came from" });
  await expect(before.getByRole("link", { name: new RegExp(`Version ${DATASET}:1`) })).toBeVisible();
  await expect(before.getByText("code from", { exact: true })).toBeVisible();
  await expect(page.getByRole("region", { name: "What came of it" })).toContainText("Nothing yet.");
  await expect(page.getByText(/other things? within 1 step\./)).toBeVisible();
  await expectAccessible(page);
  await before.getByRole("link", { name: new RegExp(DATASET) }).click();
  await page.waitForURL(`**/data/${DATASET}/1?tab=lineage`);
  await expect(page.getByRole("region", { name: "What came of it" })).toContainText(`#${number}`);
});
