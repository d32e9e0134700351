/** A picture of every place, wide and narrow, light and dark, for people to look at. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { screenshotFolder } from "../env.ts";
import { test } from "../fixtures.ts";
import { places, visit } from "../places.ts";

for (const width of [1280, 390]) {
  for (const scheme of ["light", "dark"] as const) {
    test(`places at ${width} px, ${scheme}`, async ({ page }) => {
      test.setTimeout(240_000);
      mkdirSync(screenshotFolder, { recursive: true });
      await page.setViewportSize({ width, height: width < 500 ? 844 : 860 });
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
      for (const place of await places(page)) {
        await visit(page, place);
        await page.screenshot({ path: join(screenshotFolder, `${place.name}-${width}-${scheme}.png`) });
      }
    });
  }
}
