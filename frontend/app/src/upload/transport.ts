/** How an upload reaches the server. */
import { apiPath, withQuery } from "@cairn/api/client";
import { isStatus, toApiError, unreachable } from "@cairn/api/errors";
import * as api from "@cairn/api/operations";

export interface Entry {
  path: string;
  hash: string;
  size: number;
}

export interface Received {
  offset: number;
  complete: boolean;
}

export interface Transport {
  begin: () => Promise<string>;
  /** Returns the hashes whose content must be sent. */
  declare: (upload: string, entries: Entry[], signal: AbortSignal) => Promise<string[]>;
  /** How far a content has come. */
  received: (upload: string, hash: string, signal: AbortSignal) => Promise<Received>;
  put: (upload: string, hash: string, offset: number, body: Blob, signal: AbortSignal) => Promise<Received>;
  abort: (upload: string) => Promise<unknown>;
}

/**
 * Whether an upload takes nothing more: it became files already, or was given up. The server's conflicts have one code; its words tell them
 * apart, as they stand in `storage/src/uploads.rs`.
 */
export function ended(error: unknown): "sealed" | "over" | null {
  if (!isStatus(error, 409)) return null;
  const { message } = error as Error;
  if (message === "The upload is sealed.") return "sealed";
  return message === "The upload was aborted or expired." ? "over" : null;
}

/** A request that is silent for this long counts as broken. */
const SILENT_MS = 120_000;

async function request(url: string, init: RequestInit & { signal: AbortSignal }): Promise<Response> {
  let response: Response;
  try {
    const signal = AbortSignal.any([init.signal, AbortSignal.timeout(SILENT_MS)]);
    response = await fetch(url, { ...init, signal });
  } catch (cause) {
    if (init.signal.aborted) throw cause;
    throw unreachable(cause);
  }
  if (!response.ok) throw toApiError(response, await response.json().catch(() => null));
  return response;
}

export function makeTransport(project: string): Transport {
  const object = (upload: string, hash: string) => apiPath("uploads", upload, "objects", hash);
  return {
    begin: async () => (await api.createUpload(project)).id,
    declare: async (upload, entries, signal) => (await api.declareEntries(upload, entries, signal)).missing,
    received: async (upload, hash, signal) => {
      const { headers } = await request(object(upload, hash), { method: "HEAD", signal });
      return {
        offset: Number(headers.get("upload-offset")),
        complete: headers.get("upload-complete") === "1",
      };
    },
    put: async (upload, hash, offset, body, signal) => {
      const url = withQuery(object(upload, hash), { offset });
      const headers = { "content-type": "application/octet-stream", accept: "application/json" };
      const response = await request(url, { method: "PUT", body, headers, signal });
      return (await response.json()) as Received;
    },
    abort: upload => api.deleteUpload(upload),
  };
}
