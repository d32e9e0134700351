/** How an upload reaches the server. */
import { apiPath, withQuery } from "@cairn/api/client";
import { ApiError, isStatus, toApiError, unreachable } from "@cairn/api/errors";
import * as api from "@cairn/api/operations";
import { framed, type Small } from "./batch";

export interface Entry {
  path: string;
  hash: string;
  size: number;
}

export interface Received {
  offset: number;
  complete: boolean;
}

/** A part of a content that one request sends. */
export interface Slice {
  offset: number;
  body: Blob;
  /** The size of the whole content. */
  size: number;
}

export interface Transport {
  begin: () => Promise<string>;
  /** Returns the hashes whose content must be sent. */
  declare: (upload: string, entries: Entry[], signal: AbortSignal) => Promise<string[]>;
  /** How far a content has come. */
  received: (upload: string, hash: string, signal: AbortSignal) => Promise<Received>;
  put: (upload: string, hash: string, slice: Slice, signal: AbortSignal) => Promise<Received>;
  /** Sends several small contents, all of them or none. */
  putSmall: (upload: string, contents: Small[], signal: AbortSignal) => Promise<void>;
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

/** What any request may take. */
const PATIENCE_MS = 120_000;
/** The slowest line that counts as one, and how fast the server at least proves what has come. */
const SLOWEST_PER_MS = (64 << 10) / 1000;
const PROVEN_PER_MS = 50e6 / 1000;

/** How long a slice may take before its request counts as broken. With the last one the server reads the whole content again. */
export function patience({ offset, body, size }: Slice): number {
  const isLast = offset + body.size >= size;
  return Math.ceil(PATIENCE_MS + body.size / SLOWEST_PER_MS + (isLast ? size / PROVEN_PER_MS : 0));
}

const OCTETS = { "content-type": "application/octet-stream", accept: "application/json" };

type Init = RequestInit & { signal: AbortSignal };

/** `read` is of the request: an answer that breaks off counts as none. */
async function request<T>(
  url: string,
  init: Init,
  ms: number,
  read: (response: Response) => T | Promise<T>,
): Promise<T> {
  try {
    const signal = AbortSignal.any([init.signal, AbortSignal.timeout(ms)]);
    const response = await fetch(url, { ...init, signal });
    if (!response.ok) throw toApiError(response, await response.json().catch(() => null));
    return await read(response);
  } catch (cause) {
    if (init.signal.aborted || cause instanceof ApiError) throw cause;
    throw unreachable(cause);
  }
}

export function makeTransport(project: string): Transport {
  const object = (upload: string, hash: string) => apiPath("uploads", upload, "objects", hash);
  return {
    begin: async () => (await api.createUpload(project)).id,
    declare: async (upload, entries, signal) => (await api.declareEntries(upload, entries, signal)).missing,
    received: (upload, hash, signal) =>
      request(object(upload, hash), { method: "HEAD", signal }, PATIENCE_MS, ({ headers }) => ({
        offset: Number(headers.get("upload-offset")),
        complete: headers.get("upload-complete") === "1",
      })),
    put: (upload, hash, slice, signal) => {
      const url = withQuery(object(upload, hash), { offset: slice.offset });
      const init = { method: "PUT", body: slice.body, headers: OCTETS, signal };
      return request<Received>(url, init, patience(slice), response => response.json());
    },
    putSmall: (upload, contents, signal) => {
      const body = framed(contents);
      const init = { method: "POST", body, headers: OCTETS, signal };
      const ms = patience({ offset: 0, body, size: body.size });
      return request(apiPath("uploads", upload, "objects"), init, ms, () => undefined);
    },
    abort: upload => api.deleteUpload(upload),
  };
}
