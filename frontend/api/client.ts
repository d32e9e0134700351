/** Calls the REST API with the types of its own description. Knows the error envelope; knows neither React nor the cache. */
import createClient from "openapi-fetch";
import { toApiError, unreachable } from "./errors.ts";
import type { paths } from "./schema.ts";

const PREFIX = "/api/v1";

export const client = createClient<paths>({
  baseUrl: PREFIX,
  credentials: "same-origin",
  headers: { accept: "application/json" },
  fetch: request => globalThis.fetch(request),
});

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Waits for an answer and returns its body. Throws `ApiError` for anything but 2xx; an abort passes through unchanged. */
export async function take<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw unreachable(cause);
  }
  if (!answer.response.ok) throw toApiError(answer.response, answer.error);
  return answer.data as T;
}

/** The same where the schema says less than the hand-written type: the one place that trusts it. */
export async function takeAs<T>(call: Promise<Answer<unknown>>): Promise<T> {
  return (await take(call)) as T;
}

/** Joins path segments below `/api/v1`, each percent-encoded, for what `client` cannot send: streams and downloads. */
export function apiPath(...segments: (string | number)[]): string {
  return `${PREFIX}/${segments.map(segment => encodeURIComponent(String(segment))).join("/")}`;
}

export function withQuery(path: string, query: Record<string, string | number | null | undefined>): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") params.set(key, String(value));
  }
  const text = params.toString();
  return text ? `${path}?${text}` : path;
}
