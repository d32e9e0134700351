/** Uploads over the mock: every byte that is sent is kept, also of a content that has not come whole. */
import { HttpResponse, http, type PathParams } from "msw";
import { at, done, gone, refuse } from "./answers.ts";

interface Content {
  hash: string;
  bytes: number;
  text?: string;
}
/** Contents by path. */
export type Files = Map<string, Content>;

const begun = new Map<string, Files>();
let count = 0;
const kept = new Map<string, Uint8Array<ArrayBuffer>>();

/** The files that an upload has declared. */
export const filesOf = (upload: string): Files | undefined => begun.get(upload);
export const contentOf = (hash: string): Uint8Array<ArrayBuffer> | undefined => kept.get(hash);

/** How far a content has come; undefined where the upload has not declared it. */
function received({ upload, hash }: PathParams) {
  const declared = [...(begun.get(String(upload))?.values() ?? [])].find(each => each.hash === hash);
  if (!declared) return undefined;
  const here = kept.get(declared.hash);
  const offset = here?.length ?? 0;
  return { offset, complete: here !== undefined && offset === declared.bytes, size: declared.bytes };
}

/** What stands before a content that comes with others: its hash and its length. */
const HEAD_BYTES = 32 + 8;
const OBJECT = at("/uploads/:upload/objects/:hash");

export const uploads = [
  http.post(at("/projects/:project/uploads"), () => {
    const id = `up-${++count}`;
    begun.set(id, new Map());
    return HttpResponse.json({ id, kind: "outputs", state: "open" }, { status: 201 });
  }),
  http.post(at("/uploads/:upload/entries"), async ({ request, params }) => {
    const entries = (await request.json()) as { path: string; hash: string; size: number }[];
    const files = begun.get(String(params.upload));
    if (!files) return gone();
    for (const { path, hash, size } of entries) files.set(path, { hash, bytes: size });
    const missing = entries.filter(({ hash }) => !received({ ...params, hash })?.complete);
    return HttpResponse.json({ missing: [...new Set(missing.map(each => each.hash))] });
  }),
  http.post(at("/uploads/:upload/objects"), async ({ request, params }) => {
    const body = new Uint8Array(await request.arrayBuffer());
    const view = new DataView(body.buffer);
    let objects = 0;
    for (let start = 0; start < body.length; objects += 1) {
      const content = start + HEAD_BYTES;
      const end = content <= body.length ? content + Number(view.getBigUint64(start + 32, true)) : content;
      if (end > body.length) return refuse(400, "invalid", "the last object is cut short");
      const digits = Array.from(body.subarray(start, start + 32), byte => byte.toString(16).padStart(2, "0"));
      const hash = digits.join("");
      if (received({ ...params, hash })?.size !== end - content) return gone();
      kept.set(hash, body.slice(content, end));
      start = end;
    }
    return HttpResponse.json({ objects });
  }),
  http.head(OBJECT, ({ params }) => {
    const found = received(params);
    if (!found) return gone();
    const headers = { "upload-offset": String(found.offset), "upload-complete": found.complete ? "1" : "0" };
    return new HttpResponse(null, { headers });
  }),
  http.put(OBJECT, async ({ request, params }) => {
    const found = received(params);
    if (!found) return gone();
    const { offset: here, complete, size } = found;
    if (complete) return HttpResponse.json({ offset: here, complete });
    const offset = Number(new URL(request.url).searchParams.get("offset"));
    if (offset > here) return refuse(409, "conflict", `only ${here} bytes are here`);
    const sent = new Uint8Array(await request.arrayBuffer());
    if (offset + sent.length > size) return refuse(400, "invalid", "there are more bytes than declared");
    const hash = String(params.hash);
    const before = (kept.get(hash) ?? new Uint8Array()).subarray(0, offset);
    const all = new Uint8Array(offset + sent.length);
    all.set(before);
    all.set(sent, offset);
    kept.set(hash, all);
    return HttpResponse.json({ offset: all.length, complete: all.length === size });
  }),
  http.delete(at("/uploads/:upload"), ({ params }) => {
    begun.delete(String(params.upload));
    return done();
  }),
];
