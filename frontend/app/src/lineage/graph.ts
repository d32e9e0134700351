/** What a lineage says: words for its edges, ways to its nodes, and how far each is from the start. Pure. */
import type { Lineage, LineageEdge, LineageNode } from "@cairn/api/types";
import { parseReference } from "~/lib/reference";
import { paths } from "~/paths";

/** How the second thing came of the first, as either tells it. */
const WORDS: Partial<Record<LineageEdge["how"], { from: string; to: string }>> = {
  read: { from: "read", to: "read by" },
  left: { from: "left by", to: "left" },
  made_of: { from: "made of", to: "part of" },
  repeats: { from: "repeats", to: "repeated by" },
  code: { from: "code from", to: "gave its code to" },
};

/** What is between a thing and the one it came `from`, or between it and one that it led `to`. */
export const relation = (how: LineageEdge["how"], way: "from" | "to"): string =>
  WORDS[how]?.[way] ?? (way === "from" ? "came from" : "led to");

/** Edges that carry no data: they are drawn dashed. */
export const isFaint = (how: LineageEdge["how"]): boolean => how === "repeats" || how === "code";

/** Where one sees a node's own lineage, or the node where it has none; null for what this app does not know. */
export function nodePath(node: LineageNode): string | null {
  if (node.kind === "workspace")
    return paths.workspace(node.project, node.id.slice(node.id.indexOf(":") + 1));
  const reference = parseReference(node.name, node.project);
  if (reference?.kind === "job") return paths.job(reference.project, reference.number, "lineage");
  return reference?.kind === "version"
    ? paths.datasetLineage(reference.project, reference.dataset, reference.which)
    : null;
}

/** What it is called in a project: its own is left unsaid. */
export function nodeName({ name, project }: LineageNode, within: string): string {
  if (project !== within) return name;
  if (name.startsWith(`${project}/`)) return name.slice(project.length + 1);
  return name.startsWith(`${project}#`) ? name.slice(project.length) : name;
}

/** The nodes beside each node, with the edge to them. */
export interface Beside {
  before: Map<string, LineageEdge[]>;
  after: Map<string, LineageEdge[]>;
}
export function beside(edges: LineageEdge[]): Beside {
  const [before, after] = [new Map<string, LineageEdge[]>(), new Map<string, LineageEdge[]>()];
  const add = (to: Map<string, LineageEdge[]>, id: string, edge: LineageEdge) =>
    to.set(id, [...(to.get(id) ?? []), edge]);
  for (const edge of edges) {
    add(before, edge.to, edge);
    add(after, edge.from, edge);
  }
  return { before, after };
}

/** How many steps of the longest way lie between the start and what one comes to by `next`; `back` leads there again. */
function distances(
  start: string,
  next: (id: string) => string[],
  back: (id: string) => string[],
): Map<string, number> {
  const reached = new Set([start]);
  for (const id of reached) for (const other of next(id)) reached.add(other);
  const found = new Map([[start, 0]]);
  const far = (id: string): number => {
    const known = found.get(id);
    if (known !== undefined) return known;
    // A workspace may show what its own code made: whoever comes around again finds this.
    found.set(id, 1);
    const before = back(id).filter(other => reached.has(other));
    const distance = 1 + Math.max(0, ...before.map(far));
    found.set(id, distance);
    return distance;
  };
  for (const id of reached) far(id);
  return found;
}

/** The layer of each node: 0 for the start, what came before it below, what came of it above. Nothing leads on through a workspace. */
export function layersOf({ start, nodes, edges }: Lineage): Map<string, number> {
  const { before, after } = beside(edges);
  const ends = new Set(nodes.filter(node => node.kind === "workspace").map(node => node.id));
  const pasts = (id: string) => (before.get(id) ?? []).map(edge => edge.from);
  const futures = (id: string) => (after.get(id) ?? []).map(edge => edge.to);
  const beyond = (next: typeof pasts) => (id: string) => (ends.has(id) ? [] : next(id));
  const past = distances(start, beyond(pasts), futures);
  const future = distances(start, beyond(futures), pasts);
  return new Map(
    nodes.map(({ id }) => {
      const back = past.get(id);
      return [id, back === undefined ? (future.get(id) ?? 0) : -back || 0];
    }),
  );
}

/** A node below the one that it has to do with, in an outline. */
export interface Twig {
  node: LineageNode;
  how: LineageEdge["how"][];
  twigs: Twig[];
  /** It stands further up with everything below it. */
  isAgain: boolean;
}

/** What came before the start and what came of it, each below what it is next to. */
export function outline(lineage: Lineage): { before: Twig[]; after: Twig[] } {
  const nodes = new Map(lineage.nodes.map(node => [node.id, node]));
  const both = beside(lineage.edges);
  const grow = (way: "before" | "after") => {
    const seen = new Set([lineage.start]);
    const end = way === "before" ? "from" : "to";
    const twigs = (id: string): Twig[] => {
      const hows = new Map<string, LineageEdge["how"][]>();
      for (const edge of both[way].get(id) ?? [])
        hows.set(edge[end], [...(hows.get(edge[end]) ?? []), edge.how]);
      return [...hows].flatMap(([other, how]) => {
        const node = nodes.get(other);
        if (!node) return [];
        const isAgain = seen.has(other);
        seen.add(other);
        const isEnd = isAgain || node.kind === "workspace";
        return [{ node, how, isAgain, twigs: isEnd ? [] : twigs(other) }];
      });
    };
    return twigs(lineage.start);
  };
  return { before: grow("before"), after: grow("after") };
}
