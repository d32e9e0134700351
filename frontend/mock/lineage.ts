/** Lineage over the mock: a few versions and jobs that came of each other, and many that read the same. */
import type { Lineage, LineageEdge, LineageNode } from "@cairn/api/types";
import { HttpResponse, http } from "msw";
import { at, refuse } from "./answers.ts";
import { now } from "./fixtures.ts";
import { jobs } from "./jobs.ts";

const HOUR = 3_600_000;
const PROJECT = "examples";

const nothing = {
  state: null,
  held: false,
  manifest_digest: null,
  code_digest: null,
  environment: null,
  machine: null,
  cost: null,
};

const version = (name: string, title: string, hours: number): LineageNode => ({
  ...nothing,
  id: `version:${name}`,
  kind: "version",
  name: `${PROJECT}/${name}`,
  project: PROJECT,
  title,
  user: "ada",
  created_ms: now - hours * HOUR,
  manifest_digest: "3f9a1c0b7d2e",
});

function job(number: number, title: string): LineageNode {
  const known = jobs.find(each => each.number === number);
  return {
    ...nothing,
    id: `job:${number}`,
    kind: "job",
    name: `${PROJECT}#${number}`,
    project: PROJECT,
    title,
    user: known?.user ?? "ada",
    created_ms: known?.created_ms ?? now,
    state: known?.state ?? "complete",
    held: known?.hold != null,
    code_digest: "9f1c22d04be1",
    environment: "default",
    machine: "cpu-small",
    cost: "0.0465",
  };
}

const READERS = Array.from({ length: 12 }, (_, index) => job(399 - index, `sweep ${399 - index}`));
const nodes: LineageNode[] = [
  version("digits:1", "As scikit-learn has them", 700),
  version("digits:3", "The blurred ones are gone", 5),
  version("leaves:1", "Labels for the leaves", 52),
  version("report:1", "Figures for the talk", 1),
  job(300, "sharpen"),
  job(402, "digits, more epochs"),
  {
    ...nothing,
    id: "workspace:w-1",
    kind: "workspace",
    name: "lab",
    project: PROJECT,
    title: "",
    user: "ada",
    created_ms: now - 900 * HOUR,
    environment: "default",
    machine: "cpu-small",
  },
  ...READERS,
];

const edge = (from: string, to: string, how: LineageEdge["how"]): LineageEdge => ({ from, to, how });
const edges: LineageEdge[] = [
  edge("version:digits:1", "job:300", "read"),
  edge("workspace:w-1", "job:300", "code"),
  edge("job:300", "version:digits:3", "left"),
  edge("version:digits:1", "version:digits:3", "made_of"),
  edge("version:digits:1", "version:leaves:1", "made_of"),
  edge("version:digits:3", "job:402", "read"),
  edge("job:402", "version:report:1", "left"),
  ...READERS.map(reader => edge("version:digits:3", reader.id, "read")),
];

function walk(start: LineageNode, depth: number): Lineage {
  const far = new Map([[start.id, 0]]);
  let more = false;
  for (const way of ["back", "forth"]) {
    let edgeOf = [start.id];
    for (let step = 1; edgeOf.length > 0; step += 1) {
      const [here, there] = way === "back" ? (["to", "from"] as const) : (["from", "to"] as const);
      const next = edges.filter(each => edgeOf.includes(each[here])).map(each => each[there]);
      edgeOf = [...new Set(next)].filter(id => !far.has(id));
      if (step > depth) {
        more ||= edgeOf.length > 0;
        break;
      }
      for (const id of edgeOf) far.set(id, step);
    }
  }
  return {
    start: start.id,
    nodes: nodes.filter(node => far.has(node.id)).sort((a, b) => (far.get(a.id) ?? 0) - (far.get(b.id) ?? 0)),
    edges: edges.filter(each => far.has(each.from) && far.has(each.to)),
    more,
    hidden: start.kind === "version" ? 2 : 0,
  };
}

export const lineage = [
  http.get(at("/projects/:project/lineage"), ({ request }) => {
    const query = new URL(request.url).searchParams;
    const ref = query.get("ref") ?? "";
    const start = nodes.find(node => node.name === `${PROJECT}/${ref}` || node.name === `${PROJECT}${ref}`);
    if (start) return HttpResponse.json(walk(start, Number(query.get("depth") ?? 5)));
    const number = Number(ref.replace(/^#/, ""));
    if (!jobs.some(each => each.number === number)) return refuse(400, "invalid", `${ref} names nothing`);
    const alone = job(number, "digits");
    return HttpResponse.json({ start: alone.id, nodes: [alone], edges: [], more: false, hidden: 0 });
  }),
];
