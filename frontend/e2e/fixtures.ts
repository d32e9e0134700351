/** The test of every file: it fails on errors in the console, and can look for barriers with axe. */
import { AxeBuilder } from "@axe-core/playwright";
import { test as base, expect, type Page } from "@playwright/test";
import { serverUrl } from "./env.ts";

interface Fixtures {
  /** Errors that the app's own pages wrote to the console. Empty at the end, or the test fails. */
  appErrors: string[];
}

/** Refusals that tests provoke, and the dropped connections of a killed server, are no errors of the app. */
const EXPECTED = /Failed to load resource|net::ERR_|EventSource/;

export const test = base.extend<Fixtures>({
  appErrors: [
    async ({ context }, use) => {
      const errors: string[] = [];
      context.on("console", message => {
        const isOurs = message.page()?.url().startsWith(serverUrl);
        if (isOurs && message.type() === "error" && !EXPECTED.test(message.text()))
          errors.push(message.text());
      });
      context.on("weberror", error => {
        if (error.page()?.url().startsWith(serverUrl)) errors.push(String(error.error()));
      });
      await use(errors);
      expect(errors, "errors in the console").toEqual([]);
    },
    { auto: true },
  ],
});

/** No barrier that axe knows, and nothing that is wider than the window. */
export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(
    each => `${each.id}: ${each.nodes.map(node => node.target.join(" ")).join(", ")}`,
  );
  expect(found, `barriers on ${page.url()}`).toEqual([]);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(overflow, `${page.url()} is wider than the window`).toBeLessThanOrEqual(0);
}

export { expect };
