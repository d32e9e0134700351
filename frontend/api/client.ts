/** Calls the REST API. Knows paths and the error envelope; knows neither React nor the cache. */
import { ApiError, toApiError, unreachable } from "./errors.ts";

export type Query = Record<string, string | number | boolean | null | undefined>;

export interface CallOptions {
  query?: Query;
  body?: unknown;
  signal?: AbortSignal;
}

const PREFIX = "/api/v1";

/** Joins path segments below `/api/v1`, each percent-encoded, so a name can never leave its place. */
export function apiPath(...segments: (string | number)[]): string {
  return `${PREFIX}/${segments.map(s => encodeURIComponent(String(s))).join("/")}`;
}

export function withQuery(path: string, query?: Query): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") params.set(key, String(value));
  }
  const text = params.toString();
  return text ? `${path}?${text}` : path;
}

async function parse(response: Response): Promise<unknown> {
  const text = await response.text();
  if (!text) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Sends one request and returns the parsed body. Throws `ApiError` on anything but 2xx; an abort passes through unchanged. */
export async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
  const init: RequestInit = { method, credentials: "same-origin", headers: { accept: "application/json" } };
  if (options.signal) init.signal = options.signal;
  if (options.body !== undefined) {
    init.headers = { accept: "application/json", "content-type": "application/json" };
    init.body = JSON.stringify(options.body);
  }
  let response: Response;
  try {
    response = await fetch(withQuery(path, options.query), init);
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    throw unreachable(cause);
  }
  const body = await parse(response);
  if (!response.ok) throw toApiError(response, body);
  return body as T;
}

export { ApiError };
