/** The datasets of a project. */
import type { Dataset } from "@cairn/api/types";
import { Link, type LoaderFunctionArgs, useParams } from "react-router";
import { useKeys } from "~/hooks/useKeys";
import { useSearch } from "~/hooks/useSearch";
import { useTyped } from "~/hooks/useTyped";
import { filterDatasets, VISIBILITY } from "~/lib/dataset";
import { bytes, plural } from "~/lib/format";
import { prefetch, usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { paths } from "~/paths";
import { datasetsQuery } from "~/queries/datasets";
import { projectQuery } from "~/queries/projects";
import { Button } from "~/ui/Button";
import { Chip } from "~/ui/Chip";
import { Empty } from "~/ui/Empty";
import { TextField } from "~/ui/Field";
import { Icon } from "~/ui/Icon";
import { Card, Page } from "~/ui/Page";
import { Ago } from "~/ui/Time";
import { NewDataset } from "./NewDataset";

export async function loader({ request, params }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  const project = params.project ?? "";
  await Promise.all([prefetch(datasetsQuery(project)), prefetch(projectQuery(project))]);
  return null;
}

function Row({ dataset }: { dataset: Dataset }) {
  const { latest } = dataset;
  return (
    <li className="grid items-center gap-x-6 gap-y-1 px-4 py-3 md:grid-cols-[minmax(0,1fr)_88px_176px_176px]">
      <div className="min-w-0">
        <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
          <Link
            to={paths.dataset(dataset.project, dataset.name)}
            className="min-w-0 truncate rounded text-lg font-medium hover:underline"
          >
            {dataset.name}
          </Link>
          {dataset.visibility === "project" ? null : (
            <Chip icon="user" title={`Readable by ${VISIBILITY[dataset.visibility].about}`}>
              {VISIBILITY[dataset.visibility].label}
            </Chip>
          )}
          {dataset.tags.map(tag => (
            <Chip key={tag} icon="tag">
              {tag}
            </Chip>
          ))}
        </p>
        {dataset.description ? <p className="truncate text-sm text-muted">{dataset.description}</p> : null}
      </div>
      <p className="text-sm max-md:hidden">{latest ? `version ${latest.number}` : ""}</p>
      <p className="text-sm text-muted">
        {latest ? (
          <>
            <span className="md:hidden">version {latest.number} · </span>
            {plural(latest.files, "file")}, {bytes(latest.bytes)}
          </>
        ) : (
          "no version yet"
        )}
      </p>
      <p className="truncate text-sm text-muted md:text-right">
        {latest?.user ?? dataset.user}, <Ago ms={latest?.created_ms ?? dataset.created_ms} />
      </p>
    </li>
  );
}

export function Component() {
  const { project = "" } = useParams();
  const [search, setSearch] = useSearch();
  const [words, type] = useTyped(search.get("q") ?? "", q => setSearch({ q }));
  const { items, next } = usePrefetched(datasetsQuery(project));
  const { role } = usePrefetched(projectQuery(project));
  useKeys({ "/": () => document.querySelector<HTMLElement>("#content input[type=search]")?.focus() });
  const mayCreate = role !== "viewer";
  const found = filterDatasets(items, words);
  const create = (
    <Button look="primary" icon="plus" onClick={() => setSearch({ new: "1" })}>
      New dataset
    </Button>
  );
  return (
    <Page title="Data" tab={`Data · ${project}`} actions={mayCreate && items.length > 0 ? create : null}>
      {items.length > 0 ? (
        <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
          <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
            <div className="relative w-full max-w-90">
              <Icon
                name="filter"
                className="pointer-events-none absolute top-1/2 left-2.5 -translate-y-1/2 text-faint"
              />
              <TextField
                label="Filter datasets"
                hideLabel
                type="search"
                placeholder="Name, tag, alias, person…"
                className="pl-8"
                value={words}
                onChange={event => type(event.target.value)}
              />
            </div>
            <p className="text-sm text-muted" aria-live="polite">
              {words
                ? `${found.length.toLocaleString("en-US")} of ${plural(items.length, "dataset")}`
                : `${next ? "the newest " : ""}${plural(items.length, "dataset")}`}
            </p>
          </div>
          <Card>
            {found.length > 0 ? (
              <ul className="divide-y divide-line">
                {found.map(dataset => (
                  <Row key={dataset.id} dataset={dataset} />
                ))}
              </ul>
            ) : (
              <p className="flex items-center gap-3 px-4 py-3 text-muted">
                No dataset says that.
                <Button size="sm" onClick={() => type("")}>
                  Show all
                </Button>
              </p>
            )}
          </Card>
        </div>
      ) : (
        <Empty
          icon="data"
          title="No data in this project yet"
          action={mayCreate ? create : null}
          {...(mayCreate ? { command: `cairn data push ${project}/NAME DIR` } : {})}
        >
          {mayCreate
            ? "A dataset keeps files under one name, in versions that never change: jobs and workspaces read them, and say which one it was."
            : "You can look at this project; ask an owner to become an editor to put data into it."}
        </Empty>
      )}
      {search.get("new") && mayCreate ? (
        <NewDataset project={project} mayOpen={role === "owner"} onClose={() => setSearch({ new: null })} />
      ) : null}
    </Page>
  );
}
