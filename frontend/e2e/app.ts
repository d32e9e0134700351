/** Steps that several tests take in the app. */
import { expect, type Page } from "@playwright/test";

export const PROJECT = "examples";

interface Named {
  name: string;
}

/** `base`, or with a number behind it where an earlier run on the same server took the name. */
export async function freeName(page: Page, base: string): Promise<string> {
  const response = await page.request.get(`/api/v1/projects/${PROJECT}/workspaces?limit=1000`);
  const taken = new Set(((await response.json()) as { items: Named[] }).items.map(each => each.name));
  let name = base;
  for (let number = 2; taken.has(name); number += 1) name = `${base}-${number}`;
  return name;
}

/** Creates a workspace of the example project, started, and waits until its server runs. Returns its id. */
export async function createWorkspace(page: Page, name: string): Promise<string> {
  await page.goto(`/p/${PROJECT}/workspaces?new=1`);
  const dialog = page.getByRole("dialog", { name: "New workspace" });
  await dialog.getByLabel("Name", { exact: true }).fill(name);
  await dialog.getByRole("button", { name: "Create and start" }).click();
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
  return new URL(page.url()).pathname.split("/").at(-1) ?? "";
}

export async function expectRunning(page: Page): Promise<void> {
  // The first start of an environment builds it.
  await expect(page.getByRole("main").locator("[data-state=running]")).toBeVisible({ timeout: 300_000 });
}

/** Opens the workspace that the page shows and returns the tab with Lab in it. */
export async function openLab(page: Page): Promise<Page> {
  const [lab] = await Promise.all([
    page.waitForEvent("popup"),
    page.getByRole("link", { name: "Open", exact: true }).click(),
  ]);
  await lab.waitForURL(/\/w\/[^/]+\/lab/, { timeout: 60_000 });
  return lab;
}

export const jobBadge = (page: Page, state: string) =>
  page.getByRole("main").locator(`[data-state=${state}]`).first();
