/** One line chart on a canvas, its cursor shared with its neighbours, zoomed by dragging. */
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { duration, number } from "~/lib/format";
import { onSchemeChange } from "~/lib/scheme";
import { tokenColor } from "./colors";
import type { Drawn, XAxis } from "./data";

interface Props {
  label: string;
  data: Drawn;
  axis: XAxis;
  log: boolean;
  zoom: [number, number] | null;
  group: string;
  onZoom: (zoom: [number, number] | null) => void;
}

const HEIGHT = 220;

function xValue(axis: XAxis, x: number | null): string {
  if (x === null) return "–";
  if (axis === "step") return number(x);
  if (axis === "relative") return duration(x * 1000);
  return new Date(x * 1000).toLocaleTimeString();
}

function options(props: Props, width: number, onZoom: (zoom: [number, number]) => void): uPlot.Options {
  const { label, axis, log, data, zoom, group } = props;
  const line = tokenColor("--series-1");
  const ink = tokenColor("--muted");
  const grid = { stroke: tokenColor("--line"), width: 1 };
  const font = '12px "Geist Variable", sans-serif';
  const isSmooth = data.smooth !== data.raw;
  const points = { show: data.xs.length < 40, size: 5, fill: line, stroke: line };
  const show = (_: uPlot, value: number | null) =>
    value === null || value === undefined ? "–" : number(value);
  return {
    width,
    height: HEIGHT,
    cursor: { sync: { key: group }, drag: { x: true, y: false, setScale: false }, points: { size: 7 } },
    select: { show: true, left: 0, top: 0, width: 0, height: 0 },
    scales: {
      x: { time: axis === "time", ...(zoom ? { range: () => zoom } : {}) },
      y: log ? { distr: 3, log: 10 } : {},
    },
    axes: [
      {
        stroke: ink,
        grid,
        ticks: grid,
        font,
        size: 32,
        ...(axis === "relative"
          ? { values: (_: uPlot, values: number[]) => values.map(x => duration(x * 1000)), space: 70 }
          : {}),
      },
      {
        stroke: ink,
        grid,
        ticks: grid,
        font,
        size: 56,
        values: (_: uPlot, values: (number | null)[]) => values.map(y => (y === null ? "" : number(y))),
      },
    ],
    series: [
      { label: axis === "step" ? "step" : "time", value: (_, x) => xValue(axis, x) },
      { label, stroke: line, width: 2, value: show, spanGaps: true, points },
      ...(isSmooth
        ? [
            {
              label: "as it was",
              stroke: line,
              alpha: 0.28,
              width: 1,
              value: show,
              spanGaps: true,
              points: { show: false },
            },
          ]
        : []),
    ],
    hooks: {
      setSelect: [
        self => {
          if (self.select.width < 4) return;
          onZoom([
            self.posToVal(self.select.left, "x"),
            self.posToVal(self.select.left + self.select.width, "x"),
          ]);
          self.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

const aligned = ({ xs, raw, smooth }: Drawn): uPlot.AlignedData =>
  smooth === raw ? [xs, raw] : [xs, smooth, raw];

/** What a chart says to those who do not see it. */
function inWords({ label, data }: Props): string {
  const values = data.raw.filter(value => value !== null);
  if (values.length === 0) return `${label}: no values`;
  const last = values.at(-1) ?? 0;
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  return `${label}: ${values.length} points from ${number(low)} to ${number(high)}, the last one ${number(last)}`;
}

export function Chart(props: Props) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const latest = useRef(props);
  latest.current = props;
  const { axis, log, label } = props;
  const isSmooth = props.data.smooth !== props.data.raw;
  const isSparse = props.data.xs.length < 40;
  const zoom = props.zoom?.join(",");

  // uPlot is not React: it is built anew when what it is changes, and only fed when its data does.
  // biome-ignore lint/correctness/useExhaustiveDependencies: these say when the chart is another one; the rest is read from the ref
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const build = () => {
      plot.current?.destroy();
      const current = latest.current;
      const made = options(current, Math.max(200, element.clientWidth), next => latest.current.onZoom(next));
      plot.current = new uPlot(made, aligned(current.data), element);
      plot.current.over.addEventListener("dblclick", () => latest.current.onZoom(null));
    };
    build();
    const resize = new ResizeObserver(() =>
      plot.current?.setSize({ width: Math.max(200, element.clientWidth), height: HEIGHT }),
    );
    resize.observe(element);
    const offScheme = onSchemeChange(build);
    return () => {
      offScheme();
      resize.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [axis, log, label, isSmooth, isSparse, zoom]);

  useEffect(() => {
    plot.current?.setData(aligned(props.data));
  }, [props.data]);

  return (
    <div
      ref={place}
      className="chart w-full overflow-hidden"
      role="img"
      aria-label={inWords(props)}
      data-points={props.data.xs.length}
    />
  );
}
