/** One version of a dataset: how to use it, and its files, what changed, what it came from and what it is. */
import type { Dataset, Version, VersionDetails } from "@cairn/api/types";
import { Link } from "react-router";
import { Attach } from "~/components/Attach";
import { FileBrowser } from "~/components/FileBrowser";
import { versionTree } from "~/files/tree";
import { useSearch } from "~/hooks/useSearch";
import { cx } from "~/lib/class";
import { aliasesOf, damageOf, ORIGIN } from "~/lib/dataset";
import { bytes, plural } from "~/lib/format";
import { parseReference, referencePath, versionReference } from "~/lib/reference";
import { LineageView } from "~/lineage/LineageView";
import { paths } from "~/paths";
import { Button } from "~/ui/Button";
import { Chip } from "~/ui/Chip";
import { Command, CopyButton } from "~/ui/Copy";
import { Empty } from "~/ui/Empty";
import { Notice } from "~/ui/Notice";
import { Ago } from "~/ui/Time";
import { AboutTab } from "./AboutTab";
import { ChangesTab } from "./ChangesTab";

export type Asking = "edit" | "delete" | "aliases" | "retract";

/** What a person may do here. */
export interface Mays {
  change: boolean;
  manage: boolean;
}

function UseIt({ dataset, version }: { dataset: Dataset; version: Version }) {
  const reference = (project: string) => versionReference(dataset, version.number, project);
  const short = reference(dataset.project);
  return (
    <div className="flex flex-wrap items-center gap-2">
      <Command text={`--input ${short}`} />
      <span className="flex min-w-0 flex-wrap items-center gap-1 text-sm text-muted">
        <code className="wrap-anywhere">{short}</code>
        <CopyButton text={short} label={`Copy ${short}`} />
        <code className="wrap-anywhere">{`dataset://${dataset.name}/${version.number}`}</code>
        <CopyButton text={`dataset://${dataset.name}/${version.number}`} label="Copy as an address" />
      </span>
      <Attach name={dataset.name} reference={reference} />
    </div>
  );
}

const TABS = [
  { tab: "files", label: "Files" },
  { tab: "changes", label: "Changes" },
  { tab: "lineage", label: "Lineage" },
  { tab: "about", label: "About" },
] as const;

function Came({ dataset, details }: { dataset: Dataset; details: VersionDetails }) {
  const { version, sources } = details;
  const job = version.origin === "job" ? parseReference(sources[0]?.ref ?? "", dataset.project) : null;
  if (job?.kind !== "job") return <>{ORIGIN[version.origin]}</>;
  return (
    <>
      left by{" "}
      <Link
        to={referencePath(job)}
        className="rounded underline decoration-line-strong underline-offset-2 hover:decoration-current"
      >
        {job.project === dataset.project ? "" : job.project}#{job.number}
      </Link>
    </>
  );
}

interface VersionProps {
  dataset: Dataset;
  details: VersionDetails;
  mays: Mays;
  ask: (what: Asking) => void;
}

export function VersionView({ dataset, details, mays, ask }: VersionProps) {
  const { version } = details;
  const [search] = useSearch();
  const wanted = search.get("tab");
  const tab = TABS.find(each => each.tab === wanted)?.tab ?? "files";
  const isBack = version.retracted_ms !== null;
  const damage = damageOf(version);
  const base = paths.dataset(dataset.project, dataset.name, version.number);
  return (
    <section
      aria-label={`Version ${version.number}`}
      className="grid min-w-0 grid-cols-[minmax(0,1fr)] gap-4"
    >
      <div className="grid gap-3">
        <div className="flex flex-wrap items-start justify-between gap-3">
          <div className="grid min-w-0 gap-1">
            <h2 className="flex flex-wrap items-center gap-2 text-lg font-semibold">
              <span className={cx(isBack && "font-normal text-muted line-through")}>
                Version {version.number}
              </span>
              {aliasesOf(dataset, version.number).map(alias => (
                <Chip key={alias} strong>
                  {alias}
                </Chip>
              ))}
            </h2>
            <p className="text-muted">
              {plural(version.files, "file")}, {bytes(version.bytes)} ·{" "}
              <Came dataset={dataset} details={details} /> · {version.user}, <Ago ms={version.created_ms} />
            </p>
          </div>
          {mays.change && !isBack ? (
            <div className="flex flex-wrap gap-2">
              <Button size="sm" icon="tag" onClick={() => ask("aliases")}>
                Give alias
              </Button>
              <Button size="sm" look="danger" icon="out" onClick={() => ask("retract")}>
                Take back
              </Button>
            </div>
          ) : null}
        </div>
        {isBack ? (
          <Notice title="This version was taken back">
            <p>
              <Ago ms={version.retracted_ms ?? 0} />. Nothing new can use it; what already does keeps its
              files.
            </p>
          </Notice>
        ) : damage ? (
          <Notice tone="warn" title="A check found this version damaged">
            <p>
              {damage}, as of <Ago ms={version.checked_ms ?? 0} />. Until a check finds it whole{" "}
              {version.integrity === "broken"
                ? "nothing new can use it"
                : "a job or workspace can use it only where its damaged files may be left out"}
              .{" "}
              <code>
                cairn data verify {dataset.name}:{version.number} --full
              </code>{" "}
              says which files, and whom it concerns.
            </p>
          </Notice>
        ) : (
          <UseIt dataset={dataset} version={version} />
        )}
      </div>
      <nav
        aria-label="About this version"
        className="scrollbar-none flex overflow-x-auto border-b border-line"
      >
        {TABS.map(each => (
          <Link
            key={each.tab}
            to={each.tab === "files" ? base : `${base}?tab=${each.tab}`}
            preventScrollReset
            aria-current={each.tab === tab ? "page" : undefined}
            className={cx(
              "-mb-px border-b-2 px-3 py-2 whitespace-nowrap -outline-offset-2 transition-colors",
              each.tab === tab
                ? "border-accent font-medium"
                : "border-transparent text-muted hover:text-text",
            )}
          >
            {each.label}
          </Link>
        ))}
      </nav>
      {tab === "files" ? (
        <FileBrowser
          tree={versionTree({
            project: dataset.project,
            dataset: dataset.name,
            number: version.number,
            digest: version.manifest_digest,
          })}
          first={files => files.find(file => /readme/i.test(file.path) && file.kind === "file")}
          empty={
            <Empty icon="box" title="This version holds no files">
              It was made empty.
            </Empty>
          }
        />
      ) : tab === "changes" ? (
        <ChangesTab key={version.number} dataset={dataset} version={version} />
      ) : tab === "lineage" ? (
        <LineageView
          project={dataset.project}
          reference={`${dataset.name}:${version.number}`}
          empty={
            <Empty
              icon="link"
              title="It stands alone"
              command={`--input ${versionReference(dataset, version.number, dataset.project)}`}
            >
              It was made of nothing else that is kept here, and nothing has used it yet. Give it to a
              workspace or a job, and they are connected here.
            </Empty>
          }
        />
      ) : (
        <AboutTab dataset={dataset} details={details} />
      )}
    </section>
  );
}
