/** Jobs from inside JupyterLab: some cells with what they need, the panel beside them, what a job left in the next cell. */
import { AxeBuilder } from "@axe-core/playwright";
import type { Locator, Page } from "@playwright/test";
import { createWorkspace, expectRunning, freeName, openLab } from "../app.ts";
import { screenshotFolder } from "../env.ts";
import { expect, test } from "../fixtures.ts";
import { Lab, putNotebook } from "../lab.ts";

test.describe.configure({ mode: "serial" });

const NOTEBOOK = "line.ipynb";
const EPOCHS = 60;
const SOURCES = [
  "import json, time",
  "lr = 0.1  # learning rate\nepochs = 3\nshuffle = True",
  "points = [(x / 10, 3 * x / 10) for x in range(20)]",
  "print('only a look', len(points))",
  "weight = 0.0",
  "def step(w):\n    errors = [w * x - y for x, y in points]\n    slope = sum(e * x for e, (x, _) in zip(errors, points)) / len(points)\n    return w - lr * slope, sum(e * e for e in errors) / len(points)",
  "for epoch in range(epochs):\n    weight, loss = step(weight)\n    print(json.dumps({'epoch': epoch, 'loss': loss}), flush=True)\n    time.sleep(0.3)",
  "import os, pathlib\nfolder = pathlib.Path(os.environ.get('CAIRN_OUTPUTS', '/tmp'))\n(folder / 'model.json').write_text(json.dumps({'weight': weight}))",
  "greeting = 'hello'",
];

let page: Page;
let lab: Lab;
let number = "";

const panel = (): Locator => page.getByRole("region", { name: "Cairn" });
const dialog = (): Locator => page.getByRole("dialog");
const toast = (text: RegExp): Locator => page.locator(".Toastify__toast").filter({ hasText: text }).last();
const job = (which: string): Locator => panel().locator(`.cairn-Job[data-number="${which}"]`);

async function showPanel(): Promise<void> {
  if (!(await panel().isVisible())) await page.locator('.jp-SideBar [data-id="cairn-panel"]').first().click();
  await expect(panel()).toBeVisible();
}

/** Selects code cells from one to another, as with the mouse. */
async function select(from: number, to: number): Promise<void> {
  await lab.cells().nth(from).locator(".jp-InputArea-prompt").click();
  await lab
    .cells()
    .nth(to)
    .locator(".jp-InputArea-prompt")
    .click({ modifiers: ["Shift"] });
}

/** The number of the job that the notice tells of. */
async function queued(name: string): Promise<string> {
  const notice = toast(new RegExp(`${name}: queued as \\w+#\\d+`));
  await expect(notice).toBeVisible();
  return /#(\d+)/.exec((await notice.textContent()) ?? "")?.[1] ?? "";
}

async function expectNoBarriers(where: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).include(where).analyze();
  expect(violations.map(each => `${each.id}: ${each.nodes.map(node => node.target.join(" "))}`)).toEqual([]);
}

async function theme(name: string): Promise<void> {
  await page.locator(".lm-MenuBar-itemLabel", { hasText: "Settings" }).click();
  await page.locator(".lm-Menu-itemLabel", { hasText: /^Theme$/ }).click();
  await page.locator(".lm-Menu-itemLabel", { hasText: new RegExp(`^${name}$`) }).click();
  await expect(page.locator("body")).toHaveAttribute("data-jp-theme-name", name);
}

test.beforeAll(async ({ browser }) => {
  test.setTimeout(480_000);
  const context = await browser.newContext({ ...test.info().project.use });
  const app = await context.newPage();
  await createWorkspace(app, await freeName(app, "lab-jobs"));
  await expectRunning(app);
  page = await openLab(app);
  lab = new Lab(page);
  await lab.ready();
  await putNotebook(page, `work/${NOTEBOOK}`, SOURCES, 1);
  await page.locator(".jp-DirListing-header").waitFor();
  await page
    .getByTitle(/Refresh the file browser/i)
    .first()
    .click();
  await lab.open(NOTEBOOK, SOURCES.length);
});

test.afterAll(() => page?.context().close());

test("selected cells run as a job with what they need, and nothing else", async () => {
  test.setTimeout(240_000);
  for (let index = 0; index <= 5; index += 1) await lab.run(index);
  await select(5, 7);
  await page.keyboard.press("ControlOrMeta+Shift+Enter");
  await expect(dialog().getByLabel("Name")).toBeFocused();
  const proposed = dialog().locator(".cairn-CellList > ol input:checked");
  await expect(proposed).toHaveCount(7);
  const cells = await dialog()
    .locator(".cairn-CellList > ol > li")
    .evaluateAll(all => all.map(each => each.getAttribute("data-cell")));
  expect(cells).toEqual(["0", "1", "2", "4", "5", "6", "7"]);
  await expect(dialog().locator(".cairn-CellList > ol > li").first()).toContainText("defines json, time");
  await expectNoBarriers(".cairn-RunForm");
  await page.screenshot({ path: `${screenshotFolder}/lab-dialog.png` });

  // An error stands by its field, and nothing is lost of what was typed.
  await dialog().getByRole("textbox", { name: "epochs" }).fill("many");
  await page.keyboard.press("Enter");
  await expect(dialog().getByText("This is not a whole number.")).toBeVisible();
  await expect(dialog().getByRole("textbox", { name: "epochs" })).toBeFocused();
  await dialog().getByRole("textbox", { name: "epochs" }).fill(String(EPOCHS));
  await dialog().getByLabel("Name").fill("line fit");
  await page.keyboard.press("Enter");
  await expect(dialog()).toHaveCount(0);
  number = await queued("line fit");
});

test("its chart moves beside the notebook, and its end is told", async () => {
  test.setTimeout(240_000);
  await showPanel();
  await job(number).getByRole("button", { expanded: false }).click();
  const chart = job(number).getByRole("img", { name: /^loss/ });
  await expect(chart).toBeVisible({ timeout: 90_000 });
  const points = async () => Number(await chart.getAttribute("data-points"));
  expect(await points(), "the chart is there while the job still runs").toBeLessThan(EPOCHS);
  await page.screenshot({ path: `${screenshotFolder}/lab-panel.png` });
  await expect.poll(points, { timeout: 90_000 }).toBe(EPOCHS);
  await expect(job(number).locator("[data-state=complete]")).toBeVisible({ timeout: 90_000 });
  await expect(toast(new RegExp(`#${number} line fit: complete`))).toBeVisible();
  await expectNoBarriers("#cairn-panel");
});

test("its model is attached and loaded in the next cell", async () => {
  await job(number).getByRole("button", { name: "Attach outputs" }).click();
  await expect(job(number).getByText(`/cairn/inputs/job-${number}`)).toBeVisible();
  await lab.cells().last().locator(".jp-InputArea-prompt").click();
  await job(number)
    .getByRole("button", { name: /^Insert a cell/ })
    .click();
  const index = SOURCES.length;
  await expect(lab.cells()).toHaveCount(index + 1);
  await lab.run(index);
  await expect(lab.output(index)).toContainText("model.json");
  const next = await lab.append("json.loads((inputs / 'model.json').read_text())['weight'] > 2");
  await lab.run(next);
  await expect(lab.output(next)).toContainText("True");
});

test("values that live in the kernel only go along", async () => {
  test.setTimeout(240_000);
  const index = await lab.append("kept = {'deep': [1, 2.5, None]}\npair = (1, 2)");
  await lab.run(index);
  await lab.write(index, "print('went along', kept['deep'], pair)");
  await page.keyboard.press("ControlOrMeta+Shift+Enter");
  await dialog().getByLabel("Carry along the value of kept").check();
  await dialog().getByLabel("Carry along the value of pair").check();
  await dialog().getByLabel("Name").fill("carried");
  await page.keyboard.press("Enter");
  await expect(dialog().getByText("Agree to it, or leave those values out.")).toBeVisible();
  await dialog()
    .getByLabel(/Use pickle/)
    .check();
  await page.keyboard.press("Enter");
  const carried = await queued("carried");
  await expect(toast(new RegExp(`#${carried} carried: complete`))).toBeVisible({ timeout: 120_000 });
  await job(carried).getByRole("button", { expanded: false }).click();
  await expect(job(carried).getByRole("log")).toContainText("went along [1, 2.5, None] (1, 2)");
});

test("by keyboard alone: escape goes back to the cell, enter submits", async () => {
  test.setTimeout(240_000);
  await lab.cells().nth(4).locator(".jp-InputArea-prompt").click();
  await page.keyboard.press("ControlOrMeta+Shift+Enter");
  await expect(dialog().getByLabel("Name")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(dialog()).toHaveCount(0);
  await page.keyboard.press("ControlOrMeta+Shift+Enter");
  await expect(dialog().getByLabel("Name")).toBeFocused();
  await page.keyboard.type("by keys");
  await page.keyboard.press("Enter");
  await queued("by keys");
  await expect(lab.cells().nth(4)).toHaveClass(/jp-mod-active/);
});

test("a whole notebook runs from its toolbar, in the dark too, and can be stopped", async () => {
  test.setTimeout(240_000);
  await theme("JupyterLab Dark");
  await lab.panel().getByRole("button", { name: "Run as job" }).click();
  await dialog().getByRole("textbox", { name: "epochs" }).fill("1000");
  await dialog().getByLabel("Name").fill("whole");
  await expectNoBarriers(".cairn-RunForm");
  await page.screenshot({ path: `${screenshotFolder}/lab-dialog-dark.png` });
  await dialog().getByRole("button", { name: "Run", exact: true }).click();
  const whole = await queued("whole");
  await toast(/whole: queued as/)
    .getByRole("button", { name: "Show" })
    .click();
  await expect(job(whole).getByRole("img", { name: /^loss/ })).toBeVisible({ timeout: 120_000 });
  await expectNoBarriers("#cairn-panel");
  await page.screenshot({ path: `${screenshotFolder}/lab-panel-dark.png` });
  await job(whole).getByRole("button", { name: "Stop" }).click();
  await expect(job(whole).locator("[data-state=stopped]")).toBeVisible({ timeout: 60_000 });
  await theme("JupyterLab Light");
});

test("its notebook opens beside the others, and is compared with the present one", async () => {
  await job(number).getByRole("button", { expanded: false }).click();
  await job(number).getByRole("button", { name: "Compare with present notebook" }).click();
  const comparison = page.getByRole("article", { name: new RegExp(`#${number} compared`) });
  await expect(comparison.getByText(/cells? (is|are) the same/).first()).toBeVisible();
  await expectNoBarriers(".cairn-Comparison");
  await page.screenshot({ path: `${screenshotFolder}/lab-compare.png` });
  for (const name of ["line.cells.ipynb", "line.cells-2.ipynb"]) {
    await job(number).getByRole("button", { name: "Open as notebook" }).click();
    await expect(page.locator(".lm-TabBar-tabLabel", { hasText: name })).toBeVisible();
  }
});
