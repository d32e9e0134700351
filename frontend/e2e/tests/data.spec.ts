/** Data in the app: a folder goes in by choosing and by dropping, becomes versions, and is looked at, compared, named and taken back. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Page } from "@playwright/test";
import { PROJECT } from "../app.ts";
import { expect, expectAccessible, test } from "../fixtures.ts";

test.describe.configure({ mode: "serial" });

/** A name that says nothing to a page but what it says. */
const HOSTILE = `<img src=x onerror="globalThis.__harm=1">.txt`;
const NAME = `digits-${Date.now().toString(36)}`;
const BASE = `/p/${PROJECT}/data`;

/** BLAKE3 of nothing, as `b3sum` prints it. */
const NOTHING = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
/** More than one request sends of a file, and of no earlier run: what the project has is not sent. */
const big = (number: number) => Buffer.alloc(20 << 20, `${NAME} ${number} `);

/** What is removed in the end; empty while there is nothing. */
let root = "";
let folder = "";

function write(files: Record<string, string | Buffer>): void {
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
}

test.beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "cairn-e2e-data-"));
  folder = join(root, "digits");
  write({
    "README.md": "# Digits\n\nHandwritten ones.\n",
    "labels.csv": "file,label\n1.npy,7\n",
    "train/1.npy": big(1),
    "train/empty": "",
    [HOSTILE]: "mark-hostile",
  });
});
test.afterAll(() => {
  if (root) rmSync(root, { recursive: true });
});

const versions = (page: Page) => page.getByRole("navigation", { name: "Versions" });
const main = (page: Page) => page.getByRole("main");

async function expectNoHarm(page: Page): Promise<void> {
  expect(await page.evaluate(() => "__harm" in globalThis)).toBe(false);
  await expect(main(page).locator("img[src=x]")).toHaveCount(0);
}

/** Chooses the folder, says what is new, and waits for the version. */
async function upload(page: Page, said: { message: string; alias?: string }, files: number): Promise<void> {
  await page.getByLabel("A folder to upload").setInputFiles(folder);
  await page.getByLabel("What is new in it").fill(said.message);
  if (said.alias) await page.getByLabel("Aliases that move to it").fill(said.alias);
  await page.getByRole("button", { name: `Upload ${files} files` }).click();
}

test("a dataset is made, and the folder that one chooses becomes its first version", async ({ page }) => {
  await page.goto(BASE);
  await page.getByRole("button", { name: "New dataset" }).click();
  const dialog = page.getByRole("dialog", { name: "New dataset" });
  await dialog.getByLabel("Name", { exact: true }).fill(NAME);
  await dialog.getByLabel("Description").fill("For the test of data");
  await dialog.getByLabel("Tags").fill("images, e2e");
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Create dataset" }).click();
  await expect(page.getByRole("heading", { level: 1, name: NAME })).toBeVisible();
  await expect(page.getByText(`cairn data push ${PROJECT}/${NAME} DIR`)).toBeVisible();
  await expectAccessible(page);
  await upload(page, { message: "The first ones", alias: "prod" }, 5);
  await page.waitForURL(`**${BASE}/${NAME}/1`);
  await expect(page.getByRole("heading", { level: 2, name: "Version 1" })).toContainText("prod");
  await expect(versions(page).getByRole("link", { name: /The first ones/ })).toContainText("5 files");
  await expectAccessible(page);
});

test("its files are looked at safely, whatever they are called", async ({ page }) => {
  await page.goto(`${BASE}/${NAME}`);
  await expect(main(page).getByRole("heading", { name: "Digits", exact: true })).toBeVisible();
  await main(page)
    .getByRole("link", { name: /labels\.csv/ })
    .click();
  await expect(page.getByRole("table").getByRole("cell", { name: "1.npy" })).toBeVisible();
  await main(page).getByRole("link", { name: HOSTILE }).click();
  await expect(page.getByText("mark-hostile")).toBeVisible();
  await expectNoHarm(page);
  await main(page)
    .getByRole("link", { name: /^train/ })
    .click();
  await expect(main(page).getByRole("link", { name: /1\.npy/ })).toContainText("20.0 MiB");
  // The top folder's own name is no part of the paths, and the hash is what anybody computes.
  const listed = await page.request.get(
    `/api/v1/projects/${PROJECT}/datasets/${NAME}/versions/1/files?path=train`,
  );
  const { items } = (await listed.json()) as { items: { path: string; hash: string }[] };
  expect(items.map(each => each.path)).toEqual(["train/1.npy", "train/empty"]);
  expect(items[1]?.hash).toBe(NOTHING);
});

test("a folder that is dropped becomes the next version, and says what changed", async ({ page }) => {
  await page.goto(`${BASE}/${NAME}`);
  await expect(page.getByRole("heading", { level: 2, name: "Version 1" })).toBeVisible();
  const transfer = await page.evaluateHandle(name => {
    const data = new DataTransfer();
    // As many small ones as go together, and of no earlier run.
    for (let each = 1; each <= 8; each += 1)
      data.items.add(new File([`${name} ${each}`], `note-${each}.txt`));
    data.items.add(new File(["file,label\n1.npy,8\n"], "labels.csv"));
    data.items.add(new File(["more"], "more.txt"));
    return data;
  }, NAME);
  const target = main(page).getByRole("heading", { level: 1 });
  await target.dispatchEvent("dragover", { dataTransfer: transfer });
  await expect(page.getByText(`Drop to make a new version of ${NAME}`)).toBeVisible();
  await target.dispatchEvent("drop", { dataTransfer: transfer });
  await page.getByLabel("What is new in it").fill("Other labels");
  const together = page.waitForRequest(
    request => request.method() === "POST" && /\/uploads\/[^/]+\/objects$/.test(request.url()),
  );
  await page.getByRole("button", { name: "Upload 10 files" }).click();
  expect((await (await together).response())?.status()).toBe(200);
  await page.waitForURL(`**${BASE}/${NAME}/2`);
  await page.getByRole("link", { name: "Changes", exact: true }).click();
  const changes = page.getByRole("region", { name: "Changed files" });
  await expect(changes.getByRole("listitem").filter({ hasText: "labels.csv" })).toContainText("changed");
  await expect(changes.getByRole("listitem").filter({ hasText: "more.txt" })).toContainText("added");
  await expect(changes.getByRole("listitem").filter({ hasText: "onerror" })).toContainText("removed");
  await expectNoHarm(page);
  await expectAccessible(page);
  await page.getByRole("button", { name: /removed/ }).click();
  await expect(page).toHaveURL(/show=removed/);
  await expect(changes.getByRole("listitem")).toHaveCount(4);
});

test("an upload goes on where its connection broke, and one can give it up", async ({ page }) => {
  write({ "train/2.npy": big(2) });
  await page.goto(`${BASE}/${NAME}?upload=1`);
  let broken = 0;
  await page.route("**/api/v1/uploads/*/objects/*", async route => {
    const isPut = route.request().method() === "PUT";
    if (isPut && new URL(route.request().url()).searchParams.get("offset") !== "0" && broken++ < 2)
      return route.abort("connectionreset");
    return route.continue();
  });
  await upload(page, { message: "With a second one" }, 6);
  await page.waitForURL(`**${BASE}/${NAME}/3`);
  expect(broken).toBeGreaterThanOrEqual(2);
  await page.unroute("**/api/v1/uploads/*/objects/*");

  write({ "train/3.npy": big(3) });
  await page.goto(`${BASE}/${NAME}?upload=1`);
  await page.route("**/api/v1/uploads/*/objects/*", route => route.abort("connectionreset"));
  await upload(page, { message: "Never" }, 7);
  await expect(page.getByText("The connection broke; trying again")).toBeVisible();
  await page.getByRole("link", { name: "Jobs", exact: true }).first().click();
  const leave = page.getByRole("dialog", { name: "Leave and give up the upload?" });
  await leave.getByRole("button", { name: "Keep" }).click();
  const given = () => page.waitForRequest(request => request.method() === "DELETE");
  let gone = given();
  await page.getByRole("button", { name: "Cancel the upload" }).click();
  expect((await (await gone).response())?.status()).toBe(204);

  await page.getByRole("button", { name: "Upload 7 files" }).click();
  await expect(page.getByText("The connection broke; trying again")).toBeVisible();
  await page.getByRole("link", { name: "Jobs", exact: true }).first().click();
  gone = given();
  await leave.getByRole("button", { name: "Leave" }).click();
  expect((await (await gone).response())?.status()).toBe(204);
  await page.waitForURL("**/jobs");
  await page.unroute("**/api/v1/uploads/*/objects/*");
});

test("what holds the same files is no new version", async ({ page }) => {
  rmSync(join(folder, "train/3.npy"));
  await page.goto(`${BASE}/${NAME}?upload=1`);
  // What the server refuses at the end is mended where it was written; nothing is sent again.
  await upload(page, { message: "Again", alias: "3" }, 6);
  await expect(page.getByRole("alert")).toContainText("alias cannot be a number");
  await expect(page.getByLabel("What is new in it")).toHaveValue("Again");
  await page.getByLabel("Aliases that move to it").fill("");
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page.getByText("Nothing is new: these are the files of version 3")).toBeVisible();
  await expect(versions(page).getByRole("link")).toHaveCount(3);
});

test("an alias is moved, with its history", async ({ page }) => {
  await page.goto(`${BASE}/${NAME}/3`);
  await page.getByRole("button", { name: "Give alias" }).click();
  const dialog = page.getByRole("dialog", { name: `Aliases of ${NAME}` });
  await dialog.getByLabel("Alias for version 3").fill("prod");
  await expect(dialog.getByText("prod names version 1 now; it moves to version 3.")).toBeVisible();
  await dialog.getByRole("button", { name: "Move alias" }).click();
  await expect(dialog.getByText("prod went to version 3")).toBeVisible();
  await expect(dialog.getByText("prod went to version 1")).toBeVisible();
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await expect(page.getByRole("heading", { level: 2, name: "Version 3" })).toContainText("prod");
  await page.goto(`${BASE}/${NAME}/prod?tab=about`);
  await expect(page.getByRole("heading", { level: 2, name: "Version 3" })).toBeVisible();
  await expect(page.getByText("b3sum --no-names")).toBeVisible();
});

test("a version that was taken back stays to be seen and is offered to nobody", async ({ page }) => {
  await page.goto(`${BASE}/${NAME}/3`);
  await page.getByRole("button", { name: "Take back" }).click();
  const dialog = page.getByRole("dialog", { name: "Take back version 3?" });
  await expect(dialog.getByText("1 alias will name nothing: prod.")).toBeVisible();
  await dialog.getByRole("button", { name: "Take back" }).click();
  await expect(page.getByText("This version was taken back")).toBeVisible();
  await expect(versions(page).getByRole("link", { name: /Version 3/ })).toContainText("taken back");
  await expect(page.getByText(`--input ${NAME}:3`)).toHaveCount(0);
  await expectAccessible(page);

  await page.goto(`/p/${PROJECT}/workspaces?new=1`);
  await page.getByRole("button", { name: "Attach data or outputs" }).click();
  await page.getByLabel("Data or outputs").fill(NAME);
  await expect(page.getByRole("radio", { name: `${NAME}:2` })).toBeVisible();
  await expect(page.getByRole("radio", { name: `${NAME}:3` })).toHaveCount(0);
});

test("the list is filtered, and the palette leads to a dataset", async ({ page }) => {
  await page.goto(BASE);
  await page.getByLabel("Filter datasets").fill(`e2e ${NAME}`);
  await expect(page).toHaveURL(/q=e2e/);
  await expect(main(page).getByRole("listitem")).toHaveCount(1);
  await page.setViewportSize({ width: 390, height: 844 });
  await expectAccessible(page);
  await page.keyboard.press("ControlOrMeta+k");
  await page.getByRole("combobox", { name: "Search and commands" }).fill(NAME);
  await page.keyboard.press("Enter");
  await page.waitForURL(`**${BASE}/${NAME}`);
});
