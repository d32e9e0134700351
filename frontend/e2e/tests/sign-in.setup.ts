/** Signs in with the link, as the first thing a person does; every other test goes on from there. */
import { signInLink, stateFile } from "../env.ts";
import { expect, expectAccessible, test } from "../fixtures.ts";

test("a sign-in link works once and says so afterwards", async ({ page, browser }) => {
  const link = signInLink();
  await page.goto(link);
  await expect(page.getByRole("heading", { level: 1, name: /^Hello/ })).toBeVisible();
  expect(page.url(), "the code stays in no history").not.toContain("#");
  await page.context().storageState({ path: stateFile });

  const other = await browser.newContext();
  const stranger = await other.newPage();
  await stranger.goto(link);
  await expect(stranger.getByText("This sign-in link no longer works")).toBeVisible();
  await expect(stranger.getByText("cairn user link NAME")).toBeVisible();
  await expectAccessible(stranger);
  await other.close();
});

test("someone who is not signed in is asked to and a wrong password is refused", async ({ browser }) => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto("/p/examples/jobs?filter=state:error");
  await expect(page.getByRole("heading", { level: 1, name: "Sign in" })).toBeVisible();
  expect(new URL(page.url()).searchParams.get("next")).toBe("/p/examples/jobs?filter=state:error");
  await page.getByLabel("Name").fill("admin");
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText(/\w+/);
  await expect(page.getByLabel("Name")).toHaveValue("admin");
  await context.close();
});
