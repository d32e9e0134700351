/** What the tests are told from outside: which server, which browser, where to leave their results. */
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

export const serverUrl = (process.env.CAIRN_E2E_URL ?? "http://localhost:8000").replace(/\/$/, "");
export const dataFolder = process.env.CAIRN_E2E_DATA ?? null;
export const resultsFolder = process.env.CAIRN_E2E_RESULTS ?? join(import.meta.dirname, "results");
export const stateFile = join(resultsFolder, "signed-in.json");
export const screenshotFolder = process.env.CAIRN_E2E_SCREENSHOTS ?? join(resultsFolder, "screenshots");

/** A shell command that kills the server with SIGKILL and starts it again; null where nobody gave one. */
export const restartCommand = process.env.CAIRN_E2E_RESTART ?? null;

/** A shell command that ends the server with SIGTERM and starts another build of it; null where nobody gave one. */
export const upgradeCommand = process.env.CAIRN_E2E_UPGRADE ?? null;

/** What the machine with the card is called, and the address of its Docker engine; none where work runs as processes. */
export const gpuMachine = process.env.CAIRN_E2E_GPU_MACHINE ?? "testbed";
export const gpuDocker = process.env.CAIRN_E2E_GPU_DOCKER ?? null;

/** The program under test, for tests that need a terminal; null where nobody gave one. */
export const binary = process.env.CAIRN_E2E_BINARY ?? null;

function find(name: string): string | undefined {
  return (process.env.PATH ?? "")
    .split(delimiter)
    .map(folder => join(folder, name))
    .find(existsSync);
}

export const chromium = process.env.CAIRN_TEST_CHROMIUM ?? find("chromium") ?? "/usr/bin/chromium";

/** The sign-in link: as given, else as the server last wrote it. Links work once. */
export function signInLink(): string {
  const given = process.env.CAIRN_E2E_LINK?.trim();
  if (given) return given;
  if (!dataFolder)
    throw new Error("Set CAIRN_E2E_LINK to a sign-in link, or CAIRN_E2E_DATA to the server's data folder.");
  return readFileSync(join(dataFolder, "sign-in-link"), "utf8").trim();
}
