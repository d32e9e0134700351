/** Calls the API where the workspace's own server answers it: same origin, with the workspace's cookie. Knows the error envelope. */
import { ApiError, toApiError, unreachable } from "@cairn/api/errors";

type Query = Record<string, string | number | null | undefined>;

/** What a call says beside its path. */
interface Call {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  query?: Query;
  body?: unknown;
  signal?: AbortSignal;
}

export class Client {
  readonly #root: string;

  /** `base` is the address of the workspace's server, with a slash at its end. */
  constructor(base: string) {
    this.#root = `${base}.cairn/api/v1`;
  }

  /** An address below the API; each segment is percent-encoded. */
  url(segments: readonly (string | number)[], query: Query = {}): string {
    const params = new URLSearchParams();
    for (const [key, value] of Object.entries(query)) {
      if (value !== undefined && value !== null && value !== "") params.set(key, String(value));
    }
    const path = segments.map(segment => encodeURIComponent(String(segment))).join("/");
    return `${this.#root}/${path}${params.size > 0 ? `?${params}` : ""}`;
  }

  /** Waits for the answer and returns its body. Throws `ApiError` for anything but 2xx; an abort passes through unchanged. */
  async json<T>(segments: readonly (string | number)[], call: Call = {}): Promise<T> {
    const response = await this.#send(segments, call);
    if (response.status === 204) return undefined as T;
    return (await response.json()) as T;
  }

  async text(segments: readonly (string | number)[], call: Call = {}): Promise<string> {
    return (await this.#send(segments, call)).text();
  }

  async #send(segments: readonly (string | number)[], call: Call): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(this.url(segments, call.query), {
        method: call.method ?? "GET",
        credentials: "same-origin",
        headers: {
          accept: "application/json",
          ...(call.body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
        ...(call.signal ? { signal: call.signal } : {}),
      });
    } catch (cause) {
      if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
      throw unreachable(cause);
    }
    if (response.ok) return response;
    throw toApiError(response, await response.json().catch(() => null));
  }
}

/** What to tell a person about something that went wrong. */
export function words(error: unknown): string {
  if (error instanceof ApiError && error.requestId) return `${error.message} (request ${error.requestId})`;
  return error instanceof Error ? error.message : String(error);
}
