/** Every place in both colour schemes, wide and narrow: no barrier, nothing too wide, everything by keyboard. */
import { expect, expectAccessible, test } from "../fixtures.ts";
import { places, visit } from "../places.ts";

for (const { width, scheme } of [
  { width: 1280, scheme: "light" },
  { width: 390, scheme: "dark" },
] as const) {
  test(`every place is free of barriers at ${width} px, ${scheme}`, async ({ page }) => {
    test.setTimeout(240_000);
    await page.setViewportSize({ width, height: 844 });
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    for (const place of await places(page)) {
      await visit(page, place);
      await expectAccessible(page);
    }
  });
}

test("the command palette leads anywhere by keyboard", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByRole("heading", { name: /^Hello/ })).toBeVisible();
  await page.keyboard.press("ControlOrMeta+k");
  const search = page.getByRole("combobox", { name: "Search and commands" });
  await expect(search).toBeFocused();
  await search.fill("jobs");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/jobs$/);
  await page.getByRole("table", { name: "Jobs" }).waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("x");
  await expect(page.getByText("1 job selected")).toBeVisible();
  await page.keyboard.press("/");
  await expect(page.getByRole("combobox", { name: "Filter jobs" })).toBeFocused();
  await page.keyboard.type("state:complete");
  await expect(page).toHaveURL(/filter=state%3Acomplete/);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/jobs\/\d+$/);
});

test("the first load stays within its budgets", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByRole("heading", { name: /^Hello/ })).toBeVisible();
  const scripts = await page.evaluate(() =>
    performance
      .getEntriesByType("resource")
      .filter(entry => entry.name.endsWith(".js"))
      .reduce((sum, entry) => sum + (entry as PerformanceResourceTiming).encodedBodySize, 0),
  );
  expect(scripts).toBeGreaterThan(0);
  expect(scripts, "compressed script of the first load").toBeLessThan(200 * 1024);
  const foreign = await page.evaluate(() =>
    performance
      .getEntriesByType("resource")
      .map(entry => new URL(entry.name).origin)
      .filter(origin => origin !== location.origin),
  );
  expect(foreign, "nothing is fetched from elsewhere").toEqual([]);
});
