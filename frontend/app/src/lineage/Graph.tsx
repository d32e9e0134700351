/** A lineage as a picture to walk in: a list of layers, each a list of nodes, with lines behind them. */
import type { Lineage, LineageNode } from "@cairn/api/types";
import { type HTMLAttributes, type KeyboardEvent, type ReactNode, useRef, useState } from "react";
import { Link, useLocation } from "react-router";
import { cx } from "~/lib/class";
import { plural } from "~/lib/format";
import { type Beside, beside, nodeName, nodePath, relation } from "./graph";
import { type Layout, layout, type Spot, WIDTH } from "./layout";
import { NodeText } from "./NodeText";

/** Tells this load of the app from earlier ones: what stands in the history outlives a reload, which must not take the focus. */
const VISIT = performance.timeOrigin;

const layerName = (at: number): string =>
  at === 0 ? "Here" : `${plural(Math.abs(at), "step")} ${at < 0 ? "before" : "after"}`;

/** Where an arrow key leads: along the lines, or up and down within the layer. */
export function neighbour({ layers, lines }: Layout, id: string, key: string): string | null {
  const layer = layers.find(each => each.spots.some(spot => spot.id === id));
  const index = layer?.spots.findIndex(spot => spot.id === id) ?? -1;
  const here = layer?.spots[index];
  if (!layer || !here) return null;
  if (key === "ArrowUp") return layer.spots[index - 1]?.id ?? null;
  if (key === "ArrowDown") return layer.spots[index + 1]?.id ?? null;
  if (key !== "ArrowLeft" && key !== "ArrowRight") return null;
  const isBack = key === "ArrowLeft";
  const ends = lines.flatMap(line =>
    (isBack ? line.to : line.from) === id ? [isBack ? line.from : line.to] : [],
  );
  const spots = layers.flatMap(each => each.spots).filter(spot => ends.includes(spot.id));
  const far = ({ x, y }: Spot) => Math.abs(x - here.x) * WIDTH + Math.abs(y - here.y);
  const [nearest] = spots.sort((a, b) => far(a) - far(b));
  return nearest?.id ?? null;
}

/** What the lines tell, for those who do not see them. */
function Relations({ node, near, names }: { node: LineageNode; near: Beside; names: Map<string, string> }) {
  const told = [
    ...(near.before.get(node.id) ?? []).map(edge => `${relation(edge.how, "from")} ${names.get(edge.from)}`),
    ...(near.after.get(node.id) ?? []).map(edge => `${relation(edge.how, "to")} ${names.get(edge.to)}`),
  ];
  return told.length > 0 ? <span className="sr-only">, {told.join(", ")}</span> : null;
}

interface NodeProps {
  node: LineageNode;
  isStart: boolean;
  common: HTMLAttributes<HTMLElement> & { ref: (element: HTMLElement | null) => void };
  children: ReactNode;
}

/** Leads to its own lineage; what this app does not know leads nowhere. */
function Node({ node, isStart, common, children }: NodeProps) {
  const path = nodePath(node);
  if (path === null)
    return (
      <div tabIndex={-1} {...common}>
        {children}
      </div>
    );
  return (
    <Link to={path} state={{ walked: VISIT }} aria-current={isStart || undefined} {...common}>
      {children}
    </Link>
  );
}

interface Props {
  lineage: Lineage;
  project: string;
  isOpen: (layer: number) => boolean;
  onToggle: (layer: number) => void;
}

export function Graph({ lineage, project, isOpen, onToggle }: Props) {
  const { state } = useLocation();
  const drawn = layout(lineage, isOpen);
  const near = beside(lineage.edges);
  const names = new Map(lineage.nodes.map(node => [node.id, nodeName(node, project)]));
  const [focused, setFocused] = useState<string | null>(null);
  const [pointed, setPointed] = useState<string | null>(null);
  const isMarked = (id: string) => id === focused || id === pointed;
  const list = useRef<HTMLOListElement>(null);
  /** What gets the focus once it is there: the node that one walked to, or the first that was unfolded, or what stands for those that were folded. */
  const wanted = useRef<string | null>(
    (state as { walked?: number } | null)?.walked === VISIT ? lineage.start : null,
  );
  const start = drawn.layers.flatMap(layer => layer.spots).find(spot => spot.id === lineage.start);
  /** Where the start was put in sight. It stays where one moved it, also while layers come to its left. */
  const settled = useRef<{ element: HTMLElement; x: number } | null>(null);
  const settle = (element: HTMLElement | null) => {
    if (!element || !start) return;
    const last = settled.current;
    if (last?.element !== element) element.scrollLeft = start.x - (element.clientWidth - WIDTH) / 2;
    else if (last.x !== start.x) element.scrollLeft += start.x - last.x;
    settled.current = { element, x: start.x };
  };
  const take = (id: string) => (element: HTMLElement | null) => {
    if (!element || wanted.current !== id) return;
    wanted.current = null;
    element.focus({ preventScroll: id === lineage.start });
  };
  const walk = (id: string) => (event: KeyboardEvent) => {
    const next = neighbour(drawn, id, event.key);
    if (!next) return;
    event.preventDefault();
    for (const element of list.current?.querySelectorAll<HTMLElement>("[data-node]") ?? [])
      if (element.dataset.node === next) element.focus();
  };
  const common = (spot: Spot) => ({
    "data-node": spot.id,
    ref: take(spot.id),
    onKeyDown: walk(spot.id),
    onFocus: () => setFocused(spot.id),
    onBlur: () => setFocused(null),
    onMouseEnter: () => setPointed(spot.id),
    onMouseLeave: () => setPointed(null),
    className: cx(
      "absolute block content-center overflow-hidden rounded-lg border px-3 py-2 transition-colors",
      spot.node
        ? spot.id === lineage.start
          ? "border-accent bg-accent-soft"
          : "border-line bg-surface hover:border-line-strong hover:bg-hover"
        : "border-dashed border-line-strong bg-bg text-center text-muted hover:bg-hover hover:text-text",
    ),
    style: { left: spot.x, top: spot.y, width: WIDTH, height: spot.height },
  });
  return (
    <section
      ref={settle}
      tabIndex={0}
      aria-label="Lineage graph"
      className="overflow-auto rounded-lg border border-line bg-bg p-5 -outline-offset-2"
    >
      <div className="relative mx-auto" style={{ width: drawn.width, height: drawn.height }}>
        <svg
          aria-hidden="true"
          width={drawn.width}
          height={drawn.height}
          className="pointer-events-none absolute inset-0 overflow-visible"
        >
          {drawn.lines.map(line => (
            <path
              key={`${line.from} ${line.to}`}
              d={line.path}
              fill="none"
              strokeWidth={1.5}
              strokeDasharray={line.isFaint ? "4 4" : undefined}
              className={isMarked(line.from) || isMarked(line.to) ? "stroke-accent" : "stroke-line-strong"}
            />
          ))}
        </svg>
        <ol ref={list} aria-label="Lineage, what was there first to the left">
          {drawn.layers.map(layer => (
            <li key={layer.at} aria-label={layerName(layer.at)}>
              <ul>
                {layer.spots.map(spot => (
                  <li key={spot.id}>
                    {spot.node ? (
                      <Node node={spot.node} isStart={spot.id === lineage.start} common={common(spot)}>
                        <NodeText node={spot.node} within={project} />
                        <Relations node={spot.node} near={near} names={names} />
                      </Node>
                    ) : (
                      <button
                        type="button"
                        {...common(spot)}
                        onClick={() => {
                          wanted.current = spot.folded[0]?.id ?? `more:${layer.at}`;
                          onToggle(layer.at);
                        }}
                      >
                        {spot.folded.length > 0 ? `${spot.folded.length} more` : "Show fewer"}
                      </button>
                    )}
                  </li>
                ))}
              </ul>
            </li>
          ))}
        </ol>
      </div>
    </section>
  );
}
