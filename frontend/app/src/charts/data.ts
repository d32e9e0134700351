/** From a series' points to what a chart draws: the x axis, smoothing, the log scale's limits. Pure. */
import type { Series } from "@cairn/api/types";

export type XAxis = "step" | "time" | "relative";

export interface Drawn {
  xs: number[];
  raw: (number | null)[];
  smooth: (number | null)[];
}

const finite = (value: unknown): number | null =>
  typeof value === "number" && Number.isFinite(value) ? value : null;

/** An exponential average that is right from its first point on. `weight` 0 leaves the values as they are. */
export function smoothed(values: (number | null)[], weight: number): (number | null)[] {
  if (weight <= 0) return values;
  let sum = 0;
  let norm = 0;
  return values.map(value => {
    if (value === null) return null;
    sum = sum * weight + (1 - weight) * value;
    norm = norm * weight + (1 - weight);
    return sum / norm;
  });
}

/** Sorted by x, because a chart needs rising xs; equal xs keep the last value, as metadata does. */
export function draw(series: Series, axis: XAxis, startMs: number, weight: number, log: boolean): Drawn {
  const pick = (point: Series["points"][number]) =>
    axis === "step" ? point[0] : axis === "time" ? point[2] / 1000 : (point[2] - startMs) / 1000;
  const points = series.points.map((point, index) => ({ x: pick(point), y: finite(point[1]), index }));
  points.sort((a, b) => a.x - b.x || a.index - b.index);
  const kept = points.filter((point, index) => Number.isFinite(point.x) && points[index + 1]?.x !== point.x);
  const raw = kept.map(point => (log && point.y !== null && point.y <= 0 ? null : point.y));
  return { xs: kept.map(point => point.x), raw, smooth: smoothed(raw, weight) };
}

/** The keys of a job's metadata that charts can show, grouped so that `train_loss` and `val_loss` stand together. */
export function chartKeys(metadata: Record<string, unknown>): string[] {
  const stem = (key: string) => key.replace(/^(train|val|valid|validation|test|eval)[_./-]/, "");
  return Object.entries(metadata)
    .filter(
      ([key, value]) => (typeof value === "number" || value === "NaN") && key !== "step" && key !== "epoch",
    )
    .map(([key]) => key)
    .sort((a, b) => stem(a).localeCompare(stem(b)) || a.localeCompare(b));
}

/** What to ask the server for, so that a zoomed chart shows every point: the zoom, in steps or in milliseconds since 1970. */
export function zoomed(zoom: [number, number] | null, axis: XAxis, startMs: number) {
  if (!zoom) return {};
  const [from, to] = axis === "step" ? zoom : zoom.map(x => (axis === "time" ? 0 : startMs) + x * 1000);
  return { from, to, axis: axis === "step" ? ("step" as const) : ("time" as const) } as {
    from: number;
    to: number;
    axis: "step" | "time";
  };
}

/** The zoom as the address holds it: two numbers. */
export function parseZoom(text: string | null): [number, number] | null {
  const [from, to] = (text ?? "").split(",").map(Number);
  return from !== undefined && to !== undefined && Number.isFinite(from) && Number.isFinite(to) && to > from
    ? [from, to]
    : null;
}
