/** A small chart of one key: its curve, its range and its last value. */

import type { Series } from "@cairn/api/types";
import { number } from "@cairn/app/lib/format";
import { curve } from "../jobs/series";

const WIDTH = 240;
const HEIGHT = 44;

export function Sparkline({ series }: { series: Series }) {
  const made = curve(series.points, WIDTH, HEIGHT);
  if (!made) return null;
  const { path, end, min, max, last, from, to } = made;
  const summary = `${series.key}: last ${number(last)}, from ${number(min)} to ${number(max)}, ${series.total} points`;
  return (
    <figure className="cairn-Chart">
      <figcaption>
        <span className="cairn-Chart-key" title={series.key}>
          {series.key}
        </span>
        <span className="cairn-Chart-last">{number(last)}</span>
      </figcaption>
      <svg
        role="img"
        aria-label={summary}
        data-points={series.total}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
      >
        <title>{summary}</title>
        <path d={path} vectorEffect="non-scaling-stroke" />
        <path className="cairn-Chart-end" d={`M${end[0]} ${end[1]}h0`} vectorEffect="non-scaling-stroke" />
      </svg>
      <div className="cairn-Chart-range" aria-hidden="true">
        <span>{number(max)}</span>
        <span>{number(min)}</span>
      </div>
      <div className="cairn-Chart-axis" aria-hidden="true">
        <span>{number(from)}</span>
        <span>{number(to)}</span>
      </div>
    </figure>
  );
}
