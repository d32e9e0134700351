/** The numeric metadata of a job over its steps; how it is drawn stands in the address. */
import type { Job } from "@cairn/api/types";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useMemo } from "react";
import { chartKeys, draw, parseZoom, type XAxis, zoomed } from "~/charts/data";
import { useJob } from "~/hooks/useJob";
import { type SetSearch, useSearch } from "~/hooks/useSearch";
import { useTyped } from "~/hooks/useTyped";
import { cx } from "~/lib/class";
import { value } from "~/lib/format";
import { isOver } from "~/lib/job";
import { seriesQuery } from "~/queries/jobs";
import { Button } from "~/ui/Button";
import { Empty } from "~/ui/Empty";
import { ErrorNotice } from "~/ui/Notice";
import { Card } from "~/ui/Page";
import { Loading } from "~/ui/Skeleton";

const Chart = lazy(() => import("~/charts/Chart").then(module => ({ default: module.Chart })));

const AXES: { axis: XAxis; label: string }[] = [
  { axis: "step", label: "Step" },
  { axis: "time", label: "Time" },
  { axis: "relative", label: "Relative" },
];

interface View {
  axis: XAxis;
  log: boolean;
  smoothing: number;
  zoom: [number, number] | null;
}

function useView(): [View, SetSearch] {
  const [search, setSearch] = useSearch();
  const axis = search.get("x");
  return [
    {
      axis: axis === "time" || axis === "relative" ? axis : "step",
      log: search.get("scale") === "log",
      smoothing: Math.min(0.99, Math.max(0, Number(search.get("smooth")) || 0)),
      zoom: parseZoom(search.get("zoom")),
    },
    setSearch,
  ];
}

function Controls({ view, setSearch }: { view: View; setSearch: SetSearch }) {
  const [smoothing, setSmoothing] = useTyped(String(view.smoothing), value =>
    setSearch({ smooth: value === "0" ? null : value }),
  );
  return (
    <div className="flex flex-wrap items-center gap-x-5 gap-y-2">
      <fieldset className="flex rounded border border-line-strong bg-surface p-0.5">
        <legend className="sr-only">Horizontal axis</legend>
        {AXES.map(({ axis, label }) => (
          <label
            key={axis}
            className={cx(
              "cursor-pointer rounded-sm px-2.5 py-0.5 text-sm has-focus-visible:outline-2 has-focus-visible:outline-accent",
              axis === view.axis ? "bg-accent-soft font-medium text-accent" : "text-muted hover:text-text",
            )}
          >
            <input
              type="radio"
              name="x-axis"
              className="sr-only"
              checked={axis === view.axis}
              onChange={() => setSearch({ x: axis === "step" ? null : axis, zoom: null })}
            />
            {label}
          </label>
        ))}
      </fieldset>
      <label className="flex items-center gap-2 text-sm">
        <input
          type="checkbox"
          className="size-4 accent-accent"
          checked={view.log}
          onChange={event => setSearch({ scale: event.target.checked ? "log" : null })}
        />
        Log scale
      </label>
      <label className="flex items-center gap-2 text-sm">
        Smoothing
        <input
          type="range"
          min={0}
          max={0.99}
          step={0.01}
          className="w-32 accent-accent"
          value={smoothing}
          onChange={event => setSmoothing(event.target.value)}
        />
        <span className="w-8 text-muted">{Number(smoothing).toFixed(2)}</span>
      </label>
      {view.zoom ? (
        <Button size="sm" icon="close" onClick={() => setSearch({ zoom: null })}>
          Whole range
        </Button>
      ) : (
        <span className="text-sm text-faint max-md:hidden">Drag over a chart to zoom</span>
      )}
    </div>
  );
}

function SeriesChart({
  job,
  name,
  view,
  setSearch,
}: {
  job: Job;
  name: string;
  view: View;
  setSearch: SetSearch;
}) {
  const startMs = job.started_ms ?? job.created_ms;
  const window = zoomed(view.zoom, view.axis, startMs);
  const series = useQuery({
    ...seriesQuery(job.project, job.number, { key: name, points: 2000, ...window }),
    placeholderData: before => before,
  });
  const data = useMemo(
    () => (series.data ? draw(series.data, view.axis, startMs, view.smoothing, view.log) : null),
    [series.data, view.axis, view.smoothing, view.log, startMs],
  );
  return (
    <Card className="grid content-start gap-1 p-3">
      <h2 className="flex items-baseline justify-between gap-3 px-1">
        <span className="truncate font-medium" title={name}>
          {name}
        </span>
        <span className="text-sm text-muted">{value(job.metadata[name])}</span>
      </h2>
      <ErrorNotice error={series.error} />
      {data ? (
        <Suspense fallback={<Loading />}>
          <Chart
            label={name}
            data={data}
            axis={view.axis}
            log={view.log}
            zoom={view.zoom}
            group={job.id}
            onZoom={zoom =>
              setSearch({ zoom: zoom ? zoom.map(x => String(Number(x.toPrecision(9)))).join(",") : null })
            }
          />
        </Suspense>
      ) : series.isLoading ? (
        <Loading />
      ) : null}
    </Card>
  );
}

export function Component() {
  const job = useJob();
  const [view, setSearch] = useView();
  const keys = chartKeys(job.metadata);
  if (keys.length === 0) {
    return (
      <Empty
        icon="chart"
        title={isOver(job.state) ? "This job printed no numbers" : "No numbers yet"}
        command={'print(json.dumps({"step": step, "loss": loss}))'}
      >
        Every line of JSON on standard output becomes metadata, and its numbers become charts, live.
      </Empty>
    );
  }
  return (
    <div className="grid gap-4">
      <Controls view={view} setSearch={setSearch} />
      <div className="grid grid-cols-[repeat(auto-fill,minmax(min(400px,100%),1fr))] gap-4">
        {keys.map(name => (
          <SeriesChart key={name} job={job} name={name} view={view} setSearch={setSearch} />
        ))}
      </div>
    </div>
  );
}
