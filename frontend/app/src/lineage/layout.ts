/** Where the nodes and edges of a lineage lie: in layers from left to right, what was there first to the left. Pure. */
import type { Lineage, LineageEdge, LineageNode } from "@cairn/api/types";
import { isFaint, layersOf } from "./graph";

export const WIDTH = 200;
const HEIGHT = 124;
const ACROSS = 40;
const DOWN = 14;
/** What an edge takes in a layer that it only passes. */
const PASSING = 18;
/** What the way to fold a layer again takes. */
const FEWER = 40;
/** The most nodes of a layer that are drawn before somebody asks for the others. */
export const MOST = 5;

export interface Spot {
  id: string;
  x: number;
  y: number;
  height: number;
  /** What is drawn here; null stands for those that are folded away, or for the way to fold them where there are none. */
  node: LineageNode | null;
  folded: LineageNode[];
}
export interface Layer {
  /** Below 0 for what came before the start, 0 for the start's own. */
  at: number;
  spots: Spot[];
}
export interface Line {
  from: string;
  to: string;
  path: string;
  isFaint: boolean;
}
export interface Layout {
  width: number;
  height: number;
  layers: Layer[];
  lines: Line[];
}

interface Item {
  id: string;
  node: LineageNode | null;
  folded: LineageNode[];
  height: number;
  /** It stands at the end of its layer. */
  isLast?: boolean;
}
type Column = Item[];

const item = (id: string, height: number, node: LineageNode | null = null): Item => ({
  id,
  node,
  folded: [],
  height,
});

/** The nodes by layer, without those that are folded away; each of these leads to what stands for it. */
function columnsOf(lineage: Lineage, isOpen: (layer: number) => boolean) {
  const at = layersOf(lineage);
  const columns = new Map<number, Column>();
  const standIn = new Map<string, string>();
  for (const node of lineage.nodes) {
    const layer = at.get(node.id) ?? 0;
    const column = columns.get(layer) ?? [];
    columns.set(layer, column);
    column.push(item(node.id, HEIGHT, node));
  }
  for (const [layer, column] of columns) {
    if (column.length <= MOST) continue;
    if (isOpen(layer)) {
      column.push({ ...item(`fewer:${layer}`, FEWER), isLast: true });
      continue;
    }
    const rest = { ...item(`more:${layer}`, HEIGHT), folded: [] as LineageNode[], isLast: true };
    for (const { id, node } of column.splice(MOST - 1)) {
      if (node) rest.folded.push(node);
      standIn.set(id, rest.id);
      at.set(rest.id, layer);
    }
    column.push(rest);
  }
  return { at, columns, standIn };
}

interface Way {
  from: string;
  to: string;
  isFaint: boolean;
  /** The items that it goes through, both ends included. */
  stops: string[];
}

/** One way for all edges between the same two, with a stop in each layer that it passes. */
function waysOf(edges: LineageEdge[], { at, columns, standIn }: ReturnType<typeof columnsOf>): Way[] {
  const ways = new Map<string, Way>();
  for (const edge of edges) {
    const [from, to] = [standIn.get(edge.from) ?? edge.from, standIn.get(edge.to) ?? edge.to];
    const [first, last] = [at.get(from), at.get(to)];
    if (from === to || first === undefined || last === undefined) continue;
    const id = `${from} ${to}`;
    const known = ways.get(id);
    if (known) {
      known.isFaint &&= isFaint(edge.how);
      continue;
    }
    const stops = [from];
    for (let layer = first + 1; layer < last; layer += 1) {
      const stop = item(`${id} ${layer}`, PASSING);
      columns.get(layer)?.push(stop);
      stops.push(stop.id);
    }
    ways.set(id, { from, to, isFaint: isFaint(edge.how), stops: [...stops, to] });
  }
  return [...ways.values()];
}

/** Puts what is connected at about the same height: each layer by the mean place of what it is connected with, outwards from the start and back. */
function order(columns: Map<number, Column>, ways: Way[]): void {
  const beside = new Map<string, string[]>();
  const join = (a: string, b: string) => beside.set(a, [...(beside.get(a) ?? []), b]);
  for (const { stops } of ways) {
    for (const [index, stop] of stops.entries()) {
      const next = stops[index + 1];
      if (next === undefined) continue;
      join(stop, next);
      join(next, stop);
    }
  }
  const place = new Map<string, number>();
  const settle = (column: Column) => {
    for (const [index, each] of column.entries()) place.set(each.id, (index + 0.5) / column.length);
  };
  for (const column of columns.values()) settle(column);
  const sort = (layer: number, other: number) => {
    const column = columns.get(layer);
    const inner = new Set(columns.get(other)?.map(each => each.id));
    if (!column || inner.size === 0) return;
    const mean = new Map(
      column.map(({ id, isLast }) => {
        const near = (beside.get(id) ?? []).filter(each => inner.has(each));
        const sum = near.reduce((total, each) => total + (place.get(each) ?? 0), 0);
        return [id, isLast ? 2 : near.length > 0 ? sum / near.length : (place.get(id) ?? 0)];
      }),
    );
    column.sort((a, b) => (mean.get(a.id) ?? 0) - (mean.get(b.id) ?? 0));
    settle(column);
  };
  const layers = [...columns.keys()].sort((a, b) => a - b);
  const [first = 0, last = 0] = [layers[0], layers.at(-1)];
  for (let round = 0; round < 2; round += 1) {
    for (let layer = 1; layer <= last; layer += 1) sort(layer, layer - 1);
    for (let layer = -1; layer >= first; layer -= 1) sort(layer, layer + 1);
    for (let layer = last - 1; layer > 0; layer -= 1) sort(layer, layer + 1);
    for (let layer = first + 1; layer < 0; layer += 1) sort(layer, layer - 1);
  }
}

const heightOf = (column: Column): number => column.reduce((sum, each) => sum + each.height + DOWN, -DOWN);

/** A smooth way from the right of one through the stops to the left of another. */
function pathOf(points: { x: number; y: number }[]): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let path = `M${first.x + WIDTH} ${first.y}`;
  let x = first.x + WIDTH;
  let y = first.y;
  for (const [index, point] of rest.entries()) {
    const half = Math.max(ACROSS, Math.abs(point.x - x)) / 2;
    path += `C${x + half} ${y} ${point.x - half} ${point.y} ${point.x} ${point.y}`;
    ({ x, y } = point);
    if (index < rest.length - 1) {
      x += WIDTH;
      path += `H${x}`;
    }
  }
  return path;
}

/** `isOpen` says of which layers all nodes are drawn. */
export function layout(lineage: Lineage, isOpen: (layer: number) => boolean): Layout {
  const found = columnsOf(lineage, isOpen);
  const ways = waysOf(lineage.edges, found);
  order(found.columns, ways);
  const layers = [...found.columns].sort(([a], [b]) => a - b);
  const height = Math.max(0, ...layers.map(([, column]) => heightOf(column)));
  const middles = new Map<string, { x: number; y: number }>();
  const placed = layers.map(([at, column], index): Layer => {
    const x = index * (WIDTH + ACROSS);
    let y = (height - heightOf(column)) / 2;
    const spots = column.map((each): Spot => {
      const { id, node, folded, height: tall } = each;
      const spot = { id, x, y, height: tall, node, folded };
      middles.set(id, { x, y: y + tall / 2 });
      y += tall + DOWN;
      return spot;
    });
    return { at, spots: spots.filter((_, place) => column[place]?.node || column[place]?.isLast) };
  });
  const lines = ways.map(({ from, to, isFaint: faint, stops }): Line => {
    const points = stops.flatMap(stop => middles.get(stop) ?? []);
    return { from, to, path: pathOf(points), isFaint: faint };
  });
  return {
    width: layers.length * (WIDTH + ACROSS) - ACROSS,
    height,
    layers: placed,
    lines,
  };
}
