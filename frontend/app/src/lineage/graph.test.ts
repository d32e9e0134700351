import type { Lineage, LineageEdge, LineageNode } from "@cairn/api/types";
import { expect, test } from "vitest";
import { layersOf, nodeName, nodePath, outline, relation, type Twig } from "./graph";
import { layout, MOST } from "./layout";

const node = (id: string): LineageNode => ({
  id,
  kind: id.startsWith("w") ? "workspace" : id.startsWith("j") ? "job" : "version",
  name: id,
  project: "p",
  title: "",
  user: "ada",
  created_ms: 0,
  state: null,
  held: false,
  manifest_digest: null,
  code_digest: null,
  environment: null,
  machine: null,
  cost: null,
});
/** `a>b` says that b came of a. */
function lineage(start: string, text: string, how: LineageEdge["how"] = "read"): Lineage {
  const edges = text.split(" ").map(each => {
    const [from = "", to = ""] = each.split(">");
    return { from, to, how };
  });
  const ids = [...new Set([start, ...edges.flatMap(({ from, to }) => [from, to])])];
  return { start, nodes: ids.map(node), edges, more: false, hidden: 0 };
}
const layers = (found: Lineage) => Object.fromEntries(layersOf(found));
const none = () => false;

test("what was there first lies to the left, however short another way is", () => {
  expect(layers(lineage("s", "a>b b>s a>s s>c c>d s>d"))).toEqual({ s: 0, a: -2, b: -1, c: 1, d: 2 });
});

test("a workspace that shows what its own code made turns nothing around", () => {
  const found = layers(lineage("j1", "w>j1 j1>v v>w"));
  expect(found).toEqual({ j1: 0, w: -1, v: 1 });
  expect(layout(lineage("j1", "w>j1 j1>v v>w"), none).lines).toHaveLength(3);
});

test("the workspace that code came from lies before what was made with it", () => {
  expect(layers(lineage("v", "w>j1 j1>v"))).toEqual({ v: 0, j1: -1, w: -2 });
});

test("a circle, which no honest record has, still ends", () => {
  expect(layersOf(lineage("a", "a>b b>c c>b c>a")).size).toBe(3);
});

test("no two nodes lie on each other, and all lie within the picture", () => {
  const readers = Array.from({ length: 5 }, (_, index) => `s>j${index} j${index}>v${index}`);
  const drawn = layout(lineage("s", `a>s b>a b>s ${readers.join(" ")}`), none);
  const spots = drawn.layers.flatMap(layer => layer.spots);
  expect(spots).toHaveLength(13);
  expect(new Set(spots.map(({ x, y }) => `${x} ${y}`)).size).toBe(13);
  for (const { x, y } of spots) {
    expect(x).toBeGreaterThanOrEqual(0);
    expect(y).toBeGreaterThanOrEqual(0);
    expect(x).toBeLessThan(drawn.width);
    expect(y).toBeLessThan(drawn.height);
  }
  const order = (layer: number) =>
    drawn.layers.find(({ at }) => at === layer)?.spots.map(spot => spot.id.slice(1));
  expect(order(2), "what is connected is at the same height").toEqual(order(1));
});

test("of many in a layer some are drawn, and the rest is counted until it is asked for", () => {
  const many = Array.from({ length: 20 }, (_, index) => `s>j${index}`).join(" ");
  const found = lineage("s", `${many} j19>v`);
  const folded = layout(found, none);
  const spots = folded.layers.find(({ at }) => at === 1)?.spots ?? [];
  expect(spots).toHaveLength(MOST);
  const rest = spots.at(-1);
  expect(rest).toMatchObject({ node: null });
  expect(rest?.folded).toHaveLength(20 - MOST + 1);
  expect(folded.lines.filter(line => line.to === rest?.id)).toHaveLength(1);
  expect(folded.lines.filter(line => line.to === "v" && line.from === rest?.id)).toHaveLength(1);
  const open = layout(found, layer => layer === 1);
  const all = open.layers.find(({ at }) => at === 1)?.spots ?? [];
  expect(all).toHaveLength(21);
  expect(all.at(-1), "and below them the way to fold them again").toMatchObject({
    id: "fewer:1",
    folded: [],
  });
});

test("an outline says everything once, and where it stands already", () => {
  const told = (twigs: Twig[]): string[] =>
    twigs.flatMap(twig => [`${twig.node.id}${twig.isAgain ? " again" : ""}`, ...told(twig.twigs)]);
  const { before, after } = outline(lineage("s", "a>b b>s a>s s>w w>j1"));
  expect(told(before)).toEqual(["b", "a", "a again"]);
  expect(told(after), "workspaces are ends").toEqual(["w"]);
});

test("nodes lead to their own lineage, and what is not known leads nowhere", () => {
  expect(nodePath({ ...node("v"), name: "p/digits:3" })).toBe("/p/p/data/digits/3?tab=lineage");
  expect(nodePath({ ...node("j"), name: "p#12" })).toBe("/p/p/jobs/12/lineage");
  expect(nodePath({ ...node("workspace:w-1"), name: "lab" })).toBe("/p/p/workspaces/w-1");
  expect(nodePath({ ...node("x"), kind: "model" as never, name: "<b>" })).toBeNull();
  expect(nodeName({ ...node("v"), name: "p/digits:3" }, "p")).toBe("digits:3");
  expect(nodeName({ ...node("j"), name: "p#12" }, "p")).toBe("#12");
  expect(nodeName({ ...node("j"), name: "p#12" }, "q")).toBe("p#12");
  expect(nodeName({ ...node("w"), name: "party" }, "p")).toBe("party");
  expect(relation("read", "to")).toBe("read by");
  expect(relation("dreamt" as never, "from")).toBe("came from");
});
