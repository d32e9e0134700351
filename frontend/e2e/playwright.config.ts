/** How the browser tests run: one after the other, against one real server that `CAIRN_E2E_URL` names. */
import { defineConfig } from "@playwright/test";
import { chromium, resultsFolder, serverUrl, stateFile } from "./env.ts";

const signedIn = { storageState: stateFile };

export default defineConfig({
  testDir: "tests",
  outputDir: `${resultsFolder}/tests`,
  globalSetup: "./global-setup.ts",
  workers: 1,
  fullyParallel: false,
  forbidOnly: Boolean(process.env.CI),
  timeout: 180_000,
  // What passes only at a second try is printed as flaky, to be mended.
  retries: 1,
  expect: { timeout: 30_000 },
  reporter: [["list"]],
  use: {
    baseURL: serverUrl,
    actionTimeout: 30_000,
    navigationTimeout: 60_000,
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
    viewport: { width: 1280, height: 860 },
    launchOptions: {
      executablePath: chromium,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  projects: [
    { name: "sign-in", testMatch: "sign-in.setup.ts" },
    { name: "loop", testMatch: "loop.spec.ts", dependencies: ["sign-in"], use: signedIn },
    { name: "people", testMatch: "people.spec.ts", dependencies: ["sign-in"], use: signedIn },
    { name: "crash", testMatch: "crash.spec.ts", dependencies: ["loop"], use: signedIn },
    { name: "restart", testMatch: "restart.spec.ts", dependencies: ["crash"], use: signedIn },
    { name: "pages", testMatch: "pages.spec.ts", dependencies: ["restart", "data"], use: signedIn },
    { name: "data", testMatch: "data.spec.ts", dependencies: ["sign-in"], use: signedIn },
    { name: "trail", testMatch: "trail.spec.ts", dependencies: ["sign-in"], use: signedIn },
    { name: "lab-jobs", testMatch: "lab-jobs.spec.ts", dependencies: ["sign-in"], use: signedIn },
    { name: "nothing-lost", testMatch: "nothing-lost.spec.ts", dependencies: ["sign-in"], use: signedIn },
    { name: "doors", testMatch: "doors.spec.ts", dependencies: ["sign-in"], use: signedIn },
    { name: "hostile", testMatch: "hostile.spec.ts", dependencies: ["sign-in"], use: signedIn },
    { name: "screenshots", testMatch: "screenshots.spec.ts", dependencies: ["loop", "data"], use: signedIn },
  ],
});
