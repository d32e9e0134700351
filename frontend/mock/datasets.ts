/** Datasets over the mock: their versions hold real paths and texts, and what is uploaded becomes versions. */
import type { AliasMove, ChangedPath, Dataset, File, Json, Version } from "@cairn/api/types";
import { HttpResponse, http, type PathParams } from "msw";
import { at, done, gone, list, refuse } from "./answers.ts";
import { contents } from "./contents.ts";
import { bump } from "./events.ts";
import { now } from "./fixtures.ts";
import { contentOf, type Files, filesOf, uploads } from "./uploads.ts";

const HOUR = 3_600_000;

interface Kept {
  dataset: Dataset;
  versions: { version: Version; files: Files; sources: { ref: string; manifest_digest: string }[] }[];
  moves: AliasMove[];
}

const digest = (seed: string): string =>
  Array.from({ length: 64 }, (_, index) =>
    ((seed.charCodeAt(index % seed.length) * (index + 7)) % 16).toString(16),
  ).join("");

const made = (paths: Record<string, string | number>): Files =>
  new Map(
    Object.entries(paths).map(([path, content]) => [
      path,
      typeof content === "string"
        ? { hash: digest(path + content), bytes: content.length, text: content }
        : { hash: digest(path + content), bytes: content },
    ]),
  );

function make(
  kept: Kept,
  files: Files,
  said: Partial<Version> & { sources?: { ref: string; manifest_digest: string }[] },
): Version {
  const number = (kept.versions[0]?.version.number ?? 0) + 1;
  const { sources = [], ...rest } = said;
  const version: Version = {
    id: `${kept.dataset.id}-${number}`,
    number,
    manifest_digest: digest(`m${kept.dataset.name}${number}`),
    content_digest: digest(`c${kept.dataset.name}${number}`),
    files: files.size,
    bytes: [...files.values()].reduce((sum, file) => sum + file.bytes, 0),
    message: "",
    metadata: {},
    origin: "upload",
    user: "ada",
    created_ms: Date.now(),
    retracted_ms: null,
    integrity: "ok",
    checked_ms: null,
    ...rest,
  };
  kept.versions.unshift({ version, files, sources });
  kept.dataset.latest = kept.versions.find(each => each.version.retracted_ms === null)?.version ?? null;
  return version;
}

const keep = (name: string, said: Partial<Dataset>): Kept => ({
  dataset: {
    id: `d-${name}`,
    project_id: "p-1",
    project: "examples",
    name,
    description: "",
    tags: [],
    visibility: "project",
    user: "ada",
    latest: null,
    aliases: [],
    created_ms: now - 30 * 24 * HOUR,
    ...said,
  },
  versions: [],
  moves: [],
});

const README = "# Digits\n\nHandwritten digits of **43 people**, 8 × 8 pixels.\n";
const pictures = (count: number): Record<string, string | number> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`train/${String(index).padStart(5, "0")}.npy`, 640]),
  );

const digits = keep("digits", {
  description: "Handwritten digits, 8 × 8 pixels, as scikit-learn has them.",
  tags: ["images", "classification"],
});
const first = made({
  "README.md": README,
  "labels.csv": contents["confusion.csv"] ?? "a,b\n1,2\n",
  ...pictures(48),
});
const ago = (hours: number) => ({ created_ms: now - hours * HOUR });
make(digits, first, { message: "As scikit-learn has them", ...ago(700) });
make(digits, made({ "README.md": README, "labels.csv": "broken", ...pictures(12) }), {
  message: "Without the blurred ones",
  user: "grace",
  retracted_ms: now - 400 * HOUR,
  ...ago(420),
});
make(
  digits,
  made({
    "README.md": `${README}\nThe blurred ones are gone.\n`,
    "labels.csv": contents["confusion.csv"] ?? "a,b\n1,2\n",
    "metrics.json": contents["metrics.json"] ?? '{"kept":1797}',
    "<img src=x onerror=alert(1)>.txt": "A name that is only a name.\n",
    ...pictures(40),
  }),
  {
    message: "The blurred ones are gone, labels checked twice",
    origin: "job",
    metadata: { kept: 1797, dropped: 214, by: { model: "sharpness-2", threshold: 0.42 } } as Record<
      string,
      Json
    >,
    sources: [{ ref: "#398", manifest_digest: digest("398") }],
    ...ago(5),
  },
);
digits.dataset.aliases = [
  { name: "prod", number: 1, moved_ms: now - 600 * HOUR },
  { name: "candidate", number: 3, moved_ms: now - 4 * HOUR },
];
digits.moves = [
  { name: "candidate", number: 3, user: "ada", moved_ms: now - 4 * HOUR },
  { name: "candidate", number: null, user: "grace", moved_ms: now - 400 * HOUR },
  { name: "candidate", number: 2, user: "grace", moved_ms: now - 419 * HOUR },
  { name: "prod", number: 1, user: "ada", moved_ms: now - 600 * HOUR },
];

const leaves = keep("leaves", {
  description: "Photographs of leaves with and without mildew, from three greenhouses.",
  tags: ["images"],
  visibility: "organisation",
  user: "grace",
});
make(leaves, made({ "index.csv": "path,label\n", ...pictures(900) }), {
  user: "grace",
  origin: "derived",
  sources: [
    { ref: "digits:1", manifest_digest: digest("d1") },
    { ref: "vision#12/labels", manifest_digest: digest("v12") },
  ],
  ...ago(52),
});
const all: Kept[] = [
  digits,
  leaves,
  keep("weather", { description: "Nothing yet.", created_ms: now - HOUR }),
];
export const datasetFixtures: Dataset[] = all.map(each => each.dataset);

const find = (params: PathParams) =>
  all.find(
    ({ dataset }) =>
      (dataset.project === params.project || dataset.project_id === params.project) &&
      dataset.name === params.dataset,
  );
function findVersion(params: PathParams, which = String(params.version)) {
  const kept = find(params);
  if (!kept) return undefined;
  const alias = kept.dataset.aliases.find(each => each.name === which);
  const number = which === "latest" ? kept.dataset.latest?.number : (alias?.number ?? Number(which));
  return kept.versions.find(each => each.version.number === number);
}

function folder(files: Files, path: string): File[] {
  const within = path ? `${path}/` : "";
  const found = new Map<string, File>();
  for (const [each, content] of files) {
    if (!each.startsWith(within)) continue;
    const rest = each.slice(within.length);
    const isFile = !rest.includes("/");
    const name = within + rest.split("/")[0];
    found.set(name, {
      path: name,
      kind: isFile ? "file" : "directory",
      bytes: isFile ? content.bytes : 0,
      hash: isFile ? content.hash : null,
      executable: false,
      target: null,
    });
  }
  return [...found.values()];
}

function compare(before: Files, after: Files): ChangedPath[] {
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort();
  return paths.flatMap((path): ChangedPath[] => {
    const [a, b] = [before.get(path), after.get(path)];
    if (a && !b) return [{ path, change: "removed" }];
    if (!a) return [{ path, change: "added" }];
    return a.hash === b?.hash ? [] : [{ path, change: "modified" }];
  });
}

const told = ({ dataset }: Kept) => bump("dataset.changed", dataset.project_id, dataset.id);
const BASE = "/projects/:project/datasets/:dataset";

export const datasets = [
  ...uploads,
  http.get(at("/projects/:project/datasets"), ({ params }) =>
    list(all.map(each => each.dataset).filter(each => each.project === params.project)),
  ),
  http.post(at("/projects/:project/datasets"), async ({ request, params }) => {
    const body = (await request.json()) as Partial<Dataset> & { name: string };
    if (all.some(each => each.dataset.name === body.name))
      return refuse(409, "conflict", `the project has a dataset named ${body.name} already`);
    const kept = keep(body.name, { ...body, project: String(params.project), created_ms: Date.now() });
    all.unshift(kept);
    return HttpResponse.json(kept.dataset, { status: 201 });
  }),
  http.get(at(BASE), ({ params }) => {
    const kept = find(params);
    return kept ? HttpResponse.json(kept.dataset) : gone();
  }),
  http.patch(at(BASE), async ({ request, params }) => {
    const kept = find(params);
    if (!kept) return gone();
    Object.assign(kept.dataset, await request.json());
    told(kept);
    return HttpResponse.json(kept.dataset);
  }),
  http.delete(at(BASE), ({ params }) => {
    const kept = find(params);
    if (kept) all.splice(all.indexOf(kept), 1);
    return done();
  }),
  http.get(at(`${BASE}/aliases`), ({ params }) => list(find(params)?.moves ?? [])),
  http.put(at(`${BASE}/aliases/:alias`), async ({ request, params }) => {
    const kept = find(params);
    const { number } = (await request.json()) as { number: number };
    if (!kept) return gone();
    const name = String(params.alias);
    const move = { name, number, moved_ms: Date.now() };
    kept.dataset.aliases = [...kept.dataset.aliases.filter(each => each.name !== name), move];
    kept.moves.unshift({ ...move, user: "ada" });
    told(kept);
    return done();
  }),
  http.delete(at(`${BASE}/aliases/:alias`), ({ params }) => {
    const kept = find(params);
    if (!kept) return gone();
    kept.dataset.aliases = kept.dataset.aliases.filter(each => each.name !== params.alias);
    kept.moves.unshift({ name: String(params.alias), number: null, moved_ms: Date.now(), user: "ada" });
    told(kept);
    return done();
  }),
  http.get(at(`${BASE}/versions`), ({ params }) =>
    list(find(params)?.versions.map(each => each.version) ?? []),
  ),
  http.post(at(`${BASE}/versions`), async ({ request, params }) => {
    const kept = find(params);
    const body = (await request.json()) as { upload_id: string; message: string; aliases: string[] };
    const files = filesOf(body.upload_id);
    if (!kept || !files) return gone();
    const [newest] = kept.versions;
    const isSame = newest && compare(newest.files, files).length === 0;
    const version = isSame ? newest.version : make(kept, files, { message: body.message });
    for (const name of body.aliases) {
      const alias = { name, number: version.number, moved_ms: Date.now() };
      kept.dataset.aliases = [...kept.dataset.aliases.filter(each => each.name !== name), alias];
    }
    told(kept);
    return HttpResponse.json(version, { status: isSame ? 200 : 201 });
  }),
  http.get(at(`${BASE}/versions/:version`), ({ params }) => {
    const found = findVersion(params);
    return found ? HttpResponse.json({ version: found.version, sources: found.sources }) : gone();
  }),
  http.delete(at(`${BASE}/versions/:version`), ({ params }) => {
    const kept = find(params);
    const found = findVersion(params);
    if (!kept || !found) return gone();
    found.version.retracted_ms = Date.now();
    kept.dataset.aliases = kept.dataset.aliases.filter(each => each.number !== found.version.number);
    kept.dataset.latest = kept.versions.find(each => each.version.retracted_ms === null)?.version ?? null;
    told(kept);
    return done();
  }),
  http.get(at(`${BASE}/versions/:version/files`), ({ request, params }) => {
    const found = findVersion(params);
    return found ? list(folder(found.files, new URL(request.url).searchParams.get("path") ?? "")) : gone();
  }),
  http.get(at(`${BASE}/versions/:version/files/content`), ({ request, params }) => {
    const file = findVersion(params)?.files.get(new URL(request.url).searchParams.get("path") ?? "");
    const content = file?.text ?? contentOf(file?.hash ?? "");
    return content === undefined ? gone() : new HttpResponse(content);
  }),
  http.get(at(`${BASE}/versions/:version/diff`), ({ request, params }) => {
    const to = findVersion(params);
    if (!to) return gone();
    const named = new URL(request.url).searchParams.get("from");
    const from = findVersion(params, named ?? String(to.version.number - 1));
    return HttpResponse.json({
      from: from?.version.number ?? null,
      to: to.version.number,
      changes: from ? compare(from.files, to.files) : [],
      more: false,
    });
  }),
];
