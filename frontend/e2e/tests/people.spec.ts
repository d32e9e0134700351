/** Other people and other ways in: a terminal that a browser approves, an invited person, what their role lets them do. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "@playwright/test";
import { PROJECT } from "../app.ts";
import { binary, serverUrl } from "../env.ts";
import { expect, expectAccessible, test } from "../fixtures.ts";

/** Starts `cairn login` with a home of its own, and tells what it printed and how it ended. */
function login(home: string) {
  const child = spawn(binary ?? "", ["login", serverUrl, "--name", "e2e terminal"], {
    env: { PATH: process.env.PATH, HOME: home, XDG_CONFIG_HOME: join(home, "config") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  child.stdout.on("data", data => {
    printed += String(data);
  });
  child.stderr.on("data", data => {
    printed += String(data);
  });
  const ended = new Promise<number | null>(resolve => child.on("exit", resolve));
  return { printed: () => printed, ended };
}

test("a terminal signs in with the code that its person approves in the browser", async ({ page }) => {
  test.skip(!binary, "CAIRN_E2E_BINARY names no program");
  const home = mkdtempSync(join(tmpdir(), "cairn-e2e-home-"));
  const terminal = login(home);
  await expect.poll(terminal.printed).toMatch(/\/device\?code=\S+/);
  const [, code] = /\/device\?code=(\S+)/.exec(terminal.printed()) ?? [];
  await page.goto("/device");
  await page.getByLabel("Code").fill("WRONG-CODE");
  await page.getByRole("button", { name: "Continue" }).click();
  await expect(page.getByText("This code is not known")).toBeVisible();
  await page.getByRole("button", { name: "Enter another code" }).click();
  await page.getByLabel("Code").fill(String(code).toLowerCase());
  await page.getByRole("button", { name: "Continue" }).click();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Approve" }).click();
  await expect(page.getByText("The terminal is signed in")).toBeVisible();
  expect(await terminal.ended, terminal.printed()).toBe(0);
  expect(readdirSync(join(home, "config"))).not.toEqual([]);
  await page.goto("/account");
  await expect(page.getByText("e2e terminal").first()).toBeVisible();
  await page.goto("/admin/audit");
  await expect(page.getByRole("cell", { name: /signed in a program by code/ }).first()).toBeVisible();
  rmSync(home, { recursive: true });
});

/** Invites a person whom no earlier run invited. Returns their name and their sign-in link. */
async function invite(page: Page): Promise<{ name: string; link: string }> {
  const name = `guest-${Date.now().toString(36)}`;
  await page.goto("/admin");
  await page.getByRole("button", { name: "Invite someone" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name", { exact: true }).fill(name);
  await dialog.getByRole("button", { name: "Invite" }).click();
  const link = dialog.getByText(/\/sign-in#/);
  await expect(link).toBeVisible();
  const text = (await link.textContent()) ?? "";
  await dialog.getByRole("button", { name: "Done" }).click();
  return { name, link: text.trim() };
}

async function signIn(browser: Browser, link: string): Promise<Page> {
  const context = await browser.newContext({
    baseURL: serverUrl,
    storageState: { cookies: [], origins: [] },
  });
  const page = await context.newPage();
  await page.goto(link);
  await expect(page.getByRole("heading", { level: 1, name: /^Hello/ })).toBeVisible();
  return page;
}

const statusOf = async (page: Page, path: string, data?: object): Promise<number> => {
  const url = `/api/v1/projects/${PROJECT}${path}`;
  const headers = { origin: serverUrl };
  const answer = data ? await page.request.post(url, { data, headers }) : await page.request.get(url);
  return answer.status();
};

test("an invited person sees and does what their role lets them, until they are disabled", async ({
  page,
  browser,
}) => {
  const { name, link } = await invite(page);
  const guest = await signIn(browser, link);
  expect(await statusOf(guest, "")).toBe(404);

  await page.goto(`/p/${PROJECT}/settings`);
  await page.getByLabel("Add someone by name").fill(name);
  await page.getByLabel("As", { exact: true }).selectOption("viewer");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  const role = page.getByLabel(`Role of ${name}`);
  await expect(role).toHaveValue("viewer");

  await guest.goto(`/p/${PROJECT}/settings`);
  await expect(guest.getByRole("heading", { name: "Settings" })).toBeVisible();
  await expect(guest.getByLabel("Add someone by name")).toHaveCount(0);
  expect(await statusOf(guest, "")).toBe(200);
  expect(await statusOf(guest, "/workspaces", { name: `${name}-desk` })).toBe(403);
  await guest.goto("/admin");
  await expect(guest.getByRole("button", { name: "Invite someone" })).toHaveCount(0);

  await role.selectOption("editor");
  await expect.poll(() => statusOf(guest, "/workspaces", { name: `${name}-desk` })).toBe(201);

  // An owner may delete another's workspace, and that is recorded.
  await page.goto(`/p/${PROJECT}/settings`);
  const desks = await page.request.get(`/api/v1/projects/${PROJECT}/workspaces?limit=1000`);
  const { items } = (await desks.json()) as { items: { id: string; name: string }[] };
  const desk = items.find(each => each.name === `${name}-desk`);
  const headers = { origin: serverUrl };
  expect((await page.request.delete(`/api/v1/workspaces/${desk?.id}`, { headers })).status()).toBe(204);

  await page.getByRole("button", { name: `Remove ${name}` }).click();
  await expect(role).toHaveCount(0);
  await expect.poll(() => statusOf(guest, "")).toBe(404);

  await page.goto("/admin");
  await page.getByRole("button", { name: `Actions for ${name}` }).click();
  await page.getByRole("menuitem", { name: "Disable" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Disable" }).click();
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await guest.goto("/");
  await expect(guest.getByRole("heading", { level: 1, name: "Sign in" })).toBeVisible();

  await page.goto("/admin/audit");
  for (const what of [
    "invited",
    "gave a role to",
    "removed the member",
    "changed the account of",
    "deleted the workspace",
  ])
    await expect(page.getByRole("row", { name: new RegExp(`${what}.*${name}`) }).first()).toBeVisible();
  await expectAccessible(page);
  await guest.context().close();
});
