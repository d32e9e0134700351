/** One dataset: what it is, its versions, and one of them to look into. */
import * as api from "@cairn/api/operations";
import type { Dataset, Version } from "@cairn/api/types";
import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useCallback, useEffect, useEffectEvent, useRef, useState } from "react";
import { type LoaderFunctionArgs, useNavigate, useParams } from "react-router";
import { useSearch } from "~/hooks/useSearch";
import { aliasesOf, VISIBILITY } from "~/lib/dataset";
import { bytes, plural } from "~/lib/format";
import { prefetch, queryClient, usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { paths } from "~/paths";
import { datasetQuery, versionQuery, versionsQuery } from "~/queries/datasets";
import { projectQuery } from "~/queries/projects";
import { Button } from "~/ui/Button";
import { Chip } from "~/ui/Chip";
import { Confirm } from "~/ui/Confirm";
import { Command } from "~/ui/Copy";
import { Empty } from "~/ui/Empty";
import { Icon } from "~/ui/Icon";
import { Menu } from "~/ui/Menu";
import { ErrorNotice } from "~/ui/Notice";
import { Loading } from "~/ui/Skeleton";
import { Ago } from "~/ui/Time";
import { toast } from "~/ui/Toasts";
import { holdsFiles, ofDrop } from "~/upload/pick";
import type { Picked } from "~/upload/plan";
import { Aliases } from "./Aliases";
import { DeleteDataset } from "./DeleteDataset";
import { EditDataset } from "./EditDataset";
import type { Stage } from "./UploadPanel";
import { VersionList } from "./VersionList";
import { type Asking, type Mays, VersionView } from "./VersionView";

const UploadPanel = lazy(() => import("./UploadPanel").then(module => ({ default: module.UploadPanel })));

export async function loader({ request, params }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  const { project = "", dataset = "", version } = params;
  const [{ latest }] = await Promise.all([
    prefetch(datasetQuery(project, dataset)),
    // Who is no member may still read a dataset that is open to them.
    prefetch(projectQuery(project)).catch(() => undefined),
  ]);
  const which = version ?? latest?.number.toString();
  await Promise.all([
    queryClient.ensureInfiniteQueryData(versionsQuery(project, dataset)),
    // A failure of it is told on the page: it would take the whole page away, with an upload that goes on in it.
    which ? prefetch(versionQuery(project, dataset, which)).catch(() => undefined) : null,
  ]);
  return null;
}

interface HeaderProps {
  dataset: Dataset;
  hasVersions: boolean;
  /** An upload runs, which goes to the dataset as it is called now. */
  isBusy: boolean;
  mays: Mays;
  ask: (what: Asking) => void;
}

function Header({ dataset, hasVersions, isBusy, mays, ask }: HeaderProps) {
  const { visibility } = dataset;
  const [, setSearch] = useSearch();
  const halted = isBusy ? { disabled: true, hint: "Not while an upload runs." } : {};
  return (
    <header className="flex flex-wrap items-start justify-between gap-x-4 gap-y-3">
      <div className="grid min-w-0 flex-1 basis-80 gap-1.5">
        <h1 className="min-w-0 text-xl font-semibold break-words">{dataset.name}</h1>
        {dataset.description ? (
          <p className="max-w-180 whitespace-pre-wrap text-muted wrap-anywhere">{dataset.description}</p>
        ) : null}
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1 text-sm text-muted">
          <Chip icon="user" title={`Readable by ${VISIBILITY[visibility].about}`}>
            {VISIBILITY[visibility].label}
          </Chip>
          {dataset.tags.map(tag => (
            <Chip key={tag} icon="tag">
              {tag}
            </Chip>
          ))}
          <span>
            of {dataset.project}, made by {dataset.user}, <Ago ms={dataset.created_ms} />
          </span>
        </p>
      </div>
      <div className="flex flex-wrap gap-2">
        {mays.change && hasVersions ? (
          <Button icon="upload" onClick={() => setSearch({ upload: "1" })}>
            New version
          </Button>
        ) : null}
        <Menu
          label="More about this dataset"
          button={{ icon: "more" }}
          items={[
            ...(mays.change
              ? [{ label: "Edit", icon: "edit" as const, ...halted, onSelect: () => ask("edit") }]
              : []),
            { label: "Aliases and their history", icon: "tag", onSelect: () => ask("aliases") },
            ...(mays.manage
              ? [
                  {
                    label: "Delete dataset",
                    icon: "trash" as const,
                    danger: true,
                    ...halted,
                    onSelect: () => ask("delete"),
                  },
                ]
              : []),
          ]}
        />
      </div>
    </header>
  );
}

function useMays(project: string): Mays {
  const role = useQuery({ ...projectQuery(project), retry: false }).data?.role;
  return { change: role === "editor" || role === "owner", manage: role === "owner" };
}

function Retract({ dataset, version, onClose }: { dataset: Dataset; version: Version; onClose: () => void }) {
  const client = useQueryClient();
  const { project, name } = dataset;
  const aliases = aliasesOf(dataset, version.number);
  return (
    <Confirm
      title={`Take back version ${version.number}?`}
      verb="Take back"
      danger
      run={() => api.retractVersion(project, name, version.number)}
      onClose={onClose}
      onDone={async () => {
        await Promise.all([
          client.invalidateQueries({ queryKey: datasetQuery(project, name).queryKey }),
          client.invalidateQueries({ queryKey: versionsQuery(project, name).queryKey }),
          client.invalidateQueries({ queryKey: ["dataset-version", project, name] }),
        ]);
        onClose();
        toast(`Took back ${name}:${version.number}`);
      }}
    >
      <ul className="list-disc pl-5">
        <li>
          No new job or workspace can use{" "}
          <code>
            {name}:{version.number}
          </code>
          , and its number is not given again.
        </li>
        {aliases.length > 0 ? (
          <li>
            {plural(aliases.length, "alias", "aliases")} will name nothing:{" "}
            <strong>{aliases.join(", ")}</strong>.
          </li>
        ) : null}
        <li>
          What uses it already keeps its {plural(version.files, "file")} ({bytes(version.bytes)}), and they
          can still be looked at here: no space returns.
        </li>
        <li>This cannot be undone.</li>
      </ul>
    </Confirm>
  );
}

/** What became of the last drop. */
type Drop = "idle" | "reading" | "nothing" | { error: unknown };

/** Lets files be dropped anywhere in the window: where nothing took them, the browser would leave the app for the file. */
function useDrop(isOn: boolean, onFiles: (picked: Picked[]) => void) {
  const [isOver, setIsOver] = useState(false);
  const [state, setState] = useState<Drop>("idle");
  /** Only the newest drop counts, and none that is still being read when an upload begins or the page ends. */
  const ticket = useRef(0);
  const take = useEffectEvent(onFiles);
  useEffect(() => {
    const over = (event: DragEvent) => {
      if (!event.dataTransfer || !holdsFiles(event.dataTransfer)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = isOn ? "copy" : "none";
      setIsOver(isOn);
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setIsOver(false);
    };
    const read = async (transfer: DataTransfer) => {
      const mine = ++ticket.current;
      const end = (next: Drop) => mine === ticket.current && setState(next);
      setState("reading");
      try {
        const picked = await ofDrop(transfer);
        if (mine !== ticket.current) return;
        end(picked.length > 0 ? "idle" : "nothing");
        if (picked.length > 0) take(picked);
      } catch (error) {
        end({ error });
      }
    };
    const drop = (event: DragEvent) => {
      if (!event.dataTransfer || !holdsFiles(event.dataTransfer)) return;
      event.preventDefault();
      setIsOver(false);
      if (isOn) void read(event.dataTransfer);
    };
    addEventListener("dragover", over);
    addEventListener("dragleave", leave);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("dragleave", leave);
      removeEventListener("drop", drop);
      ticket.current += 1;
      setState("idle");
    };
  }, [isOn]);
  return { isOver: isOn && isOver, state };
}

function Dropped({ state }: { state: Drop }) {
  return (
    <>
      <output className={state === "reading" || state === "nothing" ? "flex items-center gap-2" : "sr-only"}>
        {state === "reading" ? (
          <>
            <Icon name="ring" turning className="text-busy" /> Reading what was dropped…
          </>
        ) : state === "nothing" ? (
          "Nothing to upload in it: what was dropped holds no files."
        ) : null}
      </output>
      {typeof state === "object" ? (
        <ErrorNotice error={state.error} title="What was dropped could not be read" />
      ) : null}
    </>
  );
}

export function Component() {
  const { project = "", dataset: name = "", version: wanted } = useParams();
  const navigate = useNavigate();
  const client = useQueryClient();
  const [search, setSearch] = useSearch();
  const dataset = usePrefetched(datasetQuery(project, name));
  const mays = useMays(project);
  const which = wanted ?? dataset.latest?.number.toString() ?? null;
  const shown = useQuery({ ...versionQuery(project, name, which ?? ""), enabled: which !== null });
  const details = which === null ? null : (shown.data ?? null);
  const newest = useInfiniteQuery(versionsQuery(project, name)).data?.pages[0]?.items[0]?.number ?? 0;
  const [asking, setAsking] = useState<Asking | null>(null);
  const [dropped, setDropped] = useState<Picked[] | null>(null);
  const [stage, setStage] = useState<Stage>("idle");
  const close = () => setAsking(null);
  const drop = useDrop(mays.change && stage !== "running", picked => {
    setDropped(picked);
    setSearch({ upload: "1" });
  });
  const onMade = useCallback(async () => {
    await Promise.all([
      client.invalidateQueries({ queryKey: datasetQuery(project, name).queryKey }),
      client.invalidateQueries({ queryKey: versionsQuery(project, name).queryKey }),
      client.invalidateQueries({ queryKey: ["datasets"] }),
    ]);
  }, [client, project, name]);
  const onDone = useCallback(
    async (version: Version, isNew: boolean) => {
      setDropped(null);
      await navigate(paths.dataset(project, name, version.number));
      toast(
        isNew
          ? `Version ${version.number} is there`
          : `Nothing is new: these are the files of version ${version.number}`,
      );
    },
    [navigate, project, name],
  );
  const isUploading = mays.change && (stage !== "idle" || search.has("upload") || newest === 0);
  return (
    <div className="relative mx-auto flex w-full max-w-400 min-w-0 flex-1 flex-col gap-5 px-4 py-5 md:px-8 md:py-6">
      <title>{`${name}${details ? `:${details.version.number}` : ""} · Cairn`}</title>
      {drop.isOver ? (
        <div className="pointer-events-none absolute inset-2 z-30 grid place-items-center rounded-lg border-2 border-dashed border-accent bg-accent-soft/90">
          <p className="text-lg font-medium text-accent">Drop to make a new version of {name}</p>
        </div>
      ) : null}
      <Header
        dataset={dataset}
        hasVersions={newest > 0}
        isBusy={stage === "running"}
        mays={mays}
        ask={setAsking}
      />
      <Dropped state={drop.state} />
      {isUploading ? (
        <Suspense fallback={<Loading />}>
          <UploadPanel
            key={dataset.id}
            dataset={dataset}
            dropped={dropped}
            newest={newest}
            onMade={onMade}
            onDone={onDone}
            onStage={setStage}
            onClose={
              newest > 0
                ? () => {
                    setDropped(null);
                    setStage("idle");
                    setSearch({ upload: null });
                  }
                : null
            }
          />
        </Suspense>
      ) : null}
      {newest === 0 ? (
        mays.change ? (
          <p className="flex flex-wrap items-center gap-2 text-sm text-muted">
            or from a terminal <Command text={`cairn data push ${project}/${name} DIR`} />
          </p>
        ) : (
          <Empty icon="data" title="This dataset has no versions yet">
            Whoever works in {project} can upload the first one.
          </Empty>
        )
      ) : (
        <div className="grid items-start gap-5 lg:grid-cols-[272px_minmax(0,1fr)]">
          <VersionList dataset={dataset} current={details?.version.number ?? null} />
          {shown.error && which !== null ? (
            <ErrorNotice error={shown.error} title="The version could not be read" />
          ) : details ? (
            <VersionView dataset={dataset} details={details} mays={mays} ask={setAsking} />
          ) : which === null ? (
            <p className="text-muted">Every version was taken back. Choose one to look at it.</p>
          ) : (
            <Loading />
          )}
        </div>
      )}
      {asking === "edit" ? <EditDataset dataset={dataset} mayOpen={mays.manage} onClose={close} /> : null}
      {asking === "delete" ? <DeleteDataset dataset={dataset} onClose={close} /> : null}
      {asking === "aliases" ? (
        <Aliases
          dataset={dataset}
          number={
            mays.change && details && details.version.retracted_ms === null ? details.version.number : null
          }
          onClose={close}
        />
      ) : null}
      {asking === "retract" && details ? (
        <Retract dataset={dataset} version={details.version} onClose={close} />
      ) : null}
    </div>
  );
}
