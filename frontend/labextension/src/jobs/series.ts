/** From a series' points to the path of a small chart. Pure. */
import type { Series } from "@cairn/api/types";

export interface Curve {
  /** An SVG path in a box of `width` × `height`; a break where a value is missing. */
  path: string;
  /** Where the last value stands in the box. */
  end: [number, number];
  min: number;
  max: number;
  last: number;
  /** The first and the last x. */
  from: number;
  to: number;
}

const PAD = 2;

/** The curve of a series in a box; null where it has no number. Equal xs keep the last value, as metadata does. */
export function curve(points: Series["points"], width: number, height: number): Curve | null {
  const byX = new Map<number, number | null>();
  for (const [x, value] of points) {
    byX.set(x, typeof value === "number" && Number.isFinite(value) ? value : null);
  }
  const all = [...byX].sort(([a], [b]) => a - b);
  const numbers = all.flatMap(([, value]) => (value === null ? [] : [value]));
  const last = numbers.at(-1);
  const [from] = all[0] ?? [];
  const [to] = all.at(-1) ?? [];
  if (last === undefined || from === undefined || to === undefined) return null;
  const min = numbers.reduce((a, b) => Math.min(a, b));
  const max = numbers.reduce((a, b) => Math.max(a, b));
  const round = (value: number) => Math.round(value * 10) / 10;
  const left = (x: number) => round(PAD + (to === from ? 0.5 : (x - from) / (to - from)) * (width - 2 * PAD));
  const top = (y: number) =>
    round(height - PAD - (max === min ? 0.5 : (y - min) / (max - min)) * (height - 2 * PAD));
  let path = "";
  let end: [number, number] = [0, 0];
  let isDown = false;
  for (const [x, value] of all) {
    if (value !== null) {
      end = [left(x), top(value)];
      path += `${isDown ? "L" : "M"}${end[0]} ${end[1]}`;
    }
    isDown = value !== null;
  }
  return { path, end, min, max, last, from, to };
}

/** The keys worth a chart, so that `train_loss` and `val_loss` stand together. What counts the steps is an axis. */
export function charted(series: readonly Series[], most: number): Series[] {
  const stem = (key: string) => key.replace(/^(train|val|valid|validation|test|eval)[_./-]/, "");
  return series
    .filter(each => each.key !== "step" && each.key !== "epoch" && each.points.length > 0)
    .sort((a, b) => stem(a.key).localeCompare(stem(b.key)) || a.key.localeCompare(b.key))
    .slice(0, most);
}
