/** Sends a job so that it is made once, whatever the network does. */
import { ApiError } from "@cairn/api/errors";
import type { Job } from "@cairn/api/types";
import type { NewLabJob } from "../api/types";

const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15_000, 15_000];
/** Answers of what stands between us and the server. */
const PASSING = new Set([0, 502, 503, 504]);
/** Answers that say for certain that no job was made: those to what the request holds, not to who sends it or how often. */
const REFUSING = new Set([400, 409, 413, 422]);

type Submit = (body: NewLabJob) => Promise<Job>;
type Wait = (ms: number) => Promise<void>;

const wait: Wait = ms => new Promise(resolve => setTimeout(resolve, ms));

const passes = (error: unknown): boolean => error instanceof ApiError && PASSING.has(error.status);

export const isRefusal = (error: unknown): boolean => error instanceof ApiError && REFUSING.has(error.status);

/** Tries again while the server cannot be reached, always with the same key: a job that was made by a lost answer is found again. */
export async function send(submit: Submit, body: NewLabJob, key: string, pause: Wait = wait): Promise<Job> {
  const keyed = { ...body, idempotency_key: key };
  for (const ms of RETRY_MS) {
    try {
      return await submit(keyed);
    } catch (error) {
      if (!passes(error)) throw error;
      await pause(ms);
    }
  }
  return submit(keyed);
}
