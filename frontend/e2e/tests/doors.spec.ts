/** Doors that people know: jupyter-scheduler's own panel on our jobs, and other programs' kernels in a workspace. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Page } from "@playwright/test";
import { expectRunning, freeName, openLab, PROJECT } from "../app.ts";
import { dataFolder, screenshotFolder, serverUrl, stateFile } from "../env.ts";
import { expect, test } from "../fixtures.ts";
import { Lab, putNotebook } from "../lab.ts";

test.describe.configure({ mode: "serial" });

let page: Page;
let lab: Lab;
let workspace = "";

test.beforeAll(async ({ browser }) => {
  test.setTimeout(400_000);
  const app = await (await browser.newContext({ storageState: stateFile })).newPage();
  await app.goto("/");
  const headers = { origin: serverUrl };
  const name = await freeName(app, "doors");
  const data = { name, environment: "scheduler" };
  const made = await app.request.post(`/api/v1/projects/${PROJECT}/workspaces`, { data, headers });
  expect(made.status()).toBe(201);
  workspace = ((await made.json()) as { id: string }).id;
  expect((await app.request.post(`/api/v1/workspaces/${workspace}/start`, { headers })).ok()).toBe(true);
  await app.goto(`/p/${PROJECT}/workspaces/${workspace}`);
  await expectRunning(app);
  page = await openLab(app);
  lab = new Lab(page);
  await lab.ready();
});

test("jupyter-scheduler's panel runs a notebook, follows it and fetches what it gave", async () => {
  test.setTimeout(300_000);
  await putNotebook(page, "work/nightly.ipynb", [
    "lr = 1\nprint('lr is', lr)",
    "import os\nos.environ['CAIRN_JOB']",
  ]);
  await lab.open("nightly.ipynb", 2);
  await page.locator(`[data-command="scheduling:create-from-notebook"]`).first().click();
  const form = page
    .locator(".jp-notebook-jobs-panel, .jp-NotebookJobsPanel")
    .filter({ visible: true })
    .first();
  await expect(form.getByText("Create Job", { exact: true }).first()).toBeVisible();
  await form.getByLabel("Job name").fill("by the panel");
  await page.screenshot({ path: join(screenshotFolder, "scheduler-create.png") });
  await form.getByRole("button", { name: "Create", exact: true }).click();
  const row = page.getByRole("row").filter({ hasText: "by the panel" }).first();
  await expect(row).toBeVisible({ timeout: 60_000 });
  await expect(async () => {
    await page
      .getByRole("button", { name: /reload/i })
      .first()
      .click();
    await expect(row.getByText("Completed")).toBeVisible({ timeout: 2000 });
  }).toPass({ timeout: 120_000 });
  await row
    .getByRole("button", { name: /download/i })
    .first()
    .click();
  await expect(async () => {
    await page
      .getByRole("button", { name: /reload/i })
      .first()
      .click();
    await expect(row.getByRole("link", { name: /notebook/i })).toBeVisible({ timeout: 2000 });
  }).toPass({ timeout: 30_000 });
  await page.screenshot({ path: join(screenshotFolder, "scheduler-list.png") });
});

test("and stops a job that runs", async () => {
  await putNotebook(page, "work/long.ipynb", ["import time\ntime.sleep(1000)"]);
  const body = {
    input_uri: "work/long.ipynb",
    name: "stop me",
    runtime_environment_name: "scheduler",
    tags: ["long"],
    idempotency_token: workspace,
  };
  // Twice with one token is one job.
  const ids = await page.evaluate(async given => {
    const create = async () => {
      const url = `${/^\/w\/[^/]+\//.exec(location.pathname)?.[0]}scheduler/jobs`;
      const made = await fetch(url, { method: "POST", body: given });
      return ((await made.json()) as { job_id?: string }).job_id;
    };
    return [await create(), await create()];
  }, JSON.stringify(body));
  expect(ids[0]).toBeTruthy();
  expect(ids[0]).toBe(ids[1]);
  await page
    .getByRole("button", { name: /reload/i })
    .first()
    .click();
  const row = page.getByRole("row").filter({ hasText: "stop me" }).first();
  await expect(async () => {
    await page
      .getByRole("button", { name: /reload/i })
      .first()
      .click();
    await expect(row.getByText("In progress")).toBeVisible({ timeout: 2000 });
  }).toPass({ timeout: 120_000 });
  await row.getByRole("button", { name: /^Stop "/ }).click();
  await row.getByRole("button", { name: "Stop", exact: true }).click();
  await expect(async () => {
    await page
      .getByRole("button", { name: /reload/i })
      .first()
      .click();
    await expect(row.getByText("Stopped")).toBeVisible({ timeout: 2000 });
  }).toPass({ timeout: 60_000 });
});

test("jupyter-kernel-client and jupyter lab --gateway-url run cells on the workspace", async ({
  page: app,
}) => {
  test.skip(!dataFolder, "needs the server's data folder");
  test.setTimeout(300_000);
  const made = await app.request.post("/api/v1/tokens", {
    data: { name: "doors", scopes: ["workspaces"] },
    headers: { origin: serverUrl },
  });
  const { token } = (await made.json()) as { token: string };
  const environments = join(dataFolder ?? "", "environments");
  const python = readdirSync(environments)
    .map(name => join(environments, name, "bin/python"))
    .find(existsSync);
  const script = join(import.meta.dirname, "../../../deploy/testbed/doors.py");
  const uv = ["run", "--quiet", "--no-project", "--with", "jupyter-kernel-client==1.0.*", "python", script];
  const told = await promisify(execFile)(process.env.CAIRN_UV ?? "uv", [
    ...uv,
    `${serverUrl}/w/${workspace}`,
    token,
    python ?? "",
  ]);
  expect(told.stdout.trim().split("\n")).toEqual(["jupyter-kernel-client", "--gateway-url"]);
});
