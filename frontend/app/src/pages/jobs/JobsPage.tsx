/** The jobs of a project: filtered, sorted, live; the whole view stands in the address. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useDeferredValue, useMemo, useRef, useState } from "react";
import { type LoaderFunctionArgs, useNavigate, useParams } from "react-router";
import { FilterBar } from "~/components/FilterBar";
import { keysOf, matches, parseFilter, sortJobs } from "~/filter/filter";
import { useKeys } from "~/hooks/useKeys";
import { useSearch } from "~/hooks/useSearch";
import { plural } from "~/lib/format";
import { prefetch, queryClient, usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { paths } from "~/paths";
import { projectJobsQuery } from "~/queries/jobs";
import { projectQuery } from "~/queries/projects";
import { Button, ButtonLink } from "~/ui/Button";
import { Empty } from "~/ui/Empty";
import { Page } from "~/ui/Page";
import { BulkBar } from "./BulkBar";
import { ColumnChooser } from "./ColumnChooser";
import { columnsOf, usualKeys } from "./columns";
import { JobTable } from "./JobTable";

export async function loader({ request, params }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  const project = params.project ?? "";
  await Promise.all([prefetch(projectJobsQuery(project, queryClient)), prefetch(projectQuery(project))]);
  return null;
}

/** The view that the address asks for, over the jobs that are known. */
function useView(project: string) {
  const client = useQueryClient();
  const jobs = useQuery(projectJobsQuery(project, client)).data ?? [];
  const [search, setSearch] = useSearch();
  const text = search.get("filter") ?? "";
  const sort = { key: search.get("sort") ?? "number", descending: search.get("order") !== "up" };
  const chosen = search.get("columns");
  // Typing stays fluent: a hundred thousand rows follow when there is time.
  const wanted = useDeferredValue(text);
  const shown = useMemo(() => {
    const filter = parseFilter(wanted);
    return sortJobs(
      jobs.filter(job => matches(job, filter)),
      sort.key,
      sort.descending,
    );
  }, [jobs, wanted, sort.key, sort.descending]);
  const keys = useMemo(() => keysOf(jobs), [jobs]);
  const columnKeys = chosen ? ["name", ...chosen.split(",").filter(key => key !== "name")] : usualKeys(jobs);
  const onSort = (key: string) => {
    const flips = key === sort.key;
    const descending = flips ? !sort.descending : key !== "name" && key !== "user";
    setSearch({ sort: key === "number" ? null : key, order: descending ? null : "up" });
  };
  return { jobs, shown, text, sort, onSort, keys, columnKeys, setSearch };
}

export function Component() {
  const { project = "" } = useParams();
  const view = useView(project);
  const { role } = usePrefetched(projectQuery(project));
  const navigate = useNavigate();
  const [current, setCurrent] = useState(-1);
  const [selected, setSelected] = useState(new Set<number>());
  const [choosing, setChoosing] = useState(false);
  const filterInput = useRef<HTMLInputElement>(null);
  const scrollTo = useRef<((index: number) => void) | null>(null);

  const toggle = (number: number) =>
    setSelected(before => {
      const next = new Set(before);
      if (!next.delete(number)) next.add(number);
      return next;
    });
  const move = (step: number) => {
    const next = Math.max(0, Math.min(view.shown.length - 1, current + step));
    setCurrent(next);
    scrollTo.current?.(next);
  };
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    x: () => view.shown[current] && toggle(view.shown[current].number),
    Enter: () => view.shown[current] && void navigate(paths.job(project, view.shown[current].number)),
    "/": () => filterInput.current?.focus(),
    Escape: () => setSelected(new Set()),
  });

  const mayRun = role !== "viewer";
  const newJob = mayRun ? (
    <ButtonLink look="primary" icon="plus" to={paths.newJob(project)}>
      New job
    </ButtonLink>
  ) : null;
  if (view.jobs.length === 0) {
    return (
      <Page title="Jobs" tab={`Jobs · ${project}`}>
        <Empty
          icon="jobs"
          title="No job has run in this project yet"
          action={newJob}
          command={`cairn run --project ${project} -- python train.py`}
        >
          A job is one tracked run of a command or a notebook: its code, parameters, log, charts and outputs
          are kept for ever.
        </Empty>
      </Page>
    );
  }
  const chosen = view.jobs.filter(job => selected.has(job.number));
  return (
    <div className="flex h-[calc(100dvh-48px-64px)] min-h-120 flex-col gap-3 px-4 py-5 md:h-[calc(100dvh-48px)] md:px-8 md:py-6">
      <title>{`Jobs · ${project} · Cairn`}</title>
      <header className="flex items-center justify-between gap-4">
        <h1 className="text-xl font-semibold">Jobs</h1>
        {newJob}
      </header>
      <div className="flex flex-wrap items-center gap-2">
        <FilterBar
          value={view.text}
          onChange={text => view.setSearch({ filter: text })}
          keys={view.keys}
          users={[...new Set(view.jobs.map(job => job.user))]}
          inputRef={filterInput}
        />
        <span className="text-sm text-muted" role="status">
          {view.text ? `${view.shown.length.toLocaleString("en-US")} of ` : ""}
          {plural(view.jobs.length, "job")}
        </span>
        <Button icon="columns" onClick={() => setChoosing(true)}>
          Columns
        </Button>
      </div>
      {chosen.length > 0 ? <BulkBar jobs={chosen} onClear={() => setSelected(new Set())} /> : null}
      {view.shown.length > 0 ? (
        <JobTable
          jobs={view.shown}
          columns={columnsOf(view.columnKeys)}
          sort={view.sort}
          onSort={view.onSort}
          selected={selected}
          onSelect={toggle}
          current={current}
          scrollTo={scrollTo}
        />
      ) : (
        <Empty
          icon="filter"
          title="No job matches the filter"
          action={<Button onClick={() => view.setSearch({ filter: null })}>Clear the filter</Button>}
        />
      )}
      {choosing ? (
        <ColumnChooser
          chosen={view.columnKeys}
          keys={view.keys}
          onChange={keys =>
            view.setSearch({ columns: keys ? keys.filter(key => key !== "name").join(",") : null })
          }
          onClose={() => setChoosing(false)}
        />
      ) : null}
    </div>
  );
}
