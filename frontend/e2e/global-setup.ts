/** Fails early, with words, when there is no server to test. */
import { mkdirSync } from "node:fs";
import { resultsFolder, serverUrl } from "./env.ts";

export default async function setup(): Promise<void> {
  mkdirSync(resultsFolder, { recursive: true });
  const response = await fetch(`${serverUrl}/health/ready`).catch(() => null);
  if (!response?.ok)
    throw new Error(`No Cairn server is ready at ${serverUrl}: start one and set CAIRN_E2E_URL.`);
}
