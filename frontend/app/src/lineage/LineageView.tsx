/** What a version or a job came from, and what came of it: to look at, and to walk in. How far one looks stands in the address. */
import * as api from "@cairn/api/operations";
import type { Lineage } from "@cairn/api/types";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useRef } from "react";
import { useMedia } from "~/hooks/useMedia";
import { type SetSearch, useSearch } from "~/hooks/useSearch";
import { plural } from "~/lib/format";
import { lineageQuery } from "~/queries/lineage";
import { Button } from "~/ui/Button";
import { Icon } from "~/ui/Icon";
import { ErrorNotice } from "~/ui/Notice";
import { Loading } from "~/ui/Skeleton";
import { Graph } from "./Graph";
import { Outline } from "./Outline";

const EXPORTS = [
  { format: "openlineage", label: "OpenLineage events" },
  { format: "prov", label: "PROV-JSON" },
] as const;
const USUAL = 2;
const FURTHER = 2;
/** As far as the service walks, and as much as it tells at once. */
const FARTHEST = 50;
const MOST_NODES = 500;

function depthOf(text: string | null): number {
  const depth = Number(text);
  return Number.isInteger(depth) && depth > 0 ? Math.min(depth, FARTHEST) : USUAL;
}

interface Props {
  project: string;
  /** What it is the lineage of: `NAME:VERSION` or `#NUMBER`. */
  reference: string;
  /** What to say where nothing is known of before and after. */
  empty: ReactNode;
}

export function LineageView({ project, reference, empty }: Props) {
  const [search, setSearch] = useSearch();
  const isWide = useMedia("(width >= 860px)");
  const depth = depthOf(search.get("depth"));
  const found = useQuery({
    ...lineageQuery(project, reference, depth),
    placeholderData: (known, query) =>
      query?.queryKey[1] === project && query.queryKey[2] === reference ? known : undefined,
  });
  const open = (search.get("open") ?? "").split(",").filter(Boolean);
  const toggle = (layer: string) => {
    const others = open.filter(each => each !== layer);
    setSearch({ open: (others.length < open.length ? others : [...open, layer]).join(",") });
  };
  const failure = (
    <ErrorNotice
      error={found.error}
      title={
        found.data ? "It could not be read again: this is what is known" : "The lineage could not be read"
      }
      action={
        <Button size="sm" onClick={() => void found.refetch()}>
          Try again
        </Button>
      }
    />
  );
  if (!found.data) return found.error ? failure : <Loading />;
  const lineage = found.data;
  const isAlone = lineage.nodes.length < 2;
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
      {failure}
      {isAlone ? (
        lineage.hidden > 0 ? null : (
          empty
        )
      ) : isWide ? (
        <Graph
          key={lineage.start}
          lineage={lineage}
          project={project}
          isOpen={layer => open.includes(String(layer))}
          onToggle={layer => toggle(String(layer))}
        />
      ) : (
        <Outline lineage={lineage} project={project} />
      )}
      <Beyond lineage={lineage} depth={depth} isBusy={found.isPlaceholderData} setSearch={setSearch} />
      <p className="flex flex-wrap gap-x-3 gap-y-1 text-sm">
        <span className="text-muted">For other programs:</span>
        {EXPORTS.map(({ format, label }) => (
          <a
            key={format}
            className="rounded underline decoration-line-strong underline-offset-2 hover:decoration-current"
            href={api.lineageUrl(project, reference, depth, format)}
            download={`${reference.replace(/[^a-zA-Z0-9]+/g, "-").replace(/^-/, "")}.${format}.json`}
          >
            {label}
          </a>
        ))}
      </p>
      {isAlone || !isWide ? null : (
        <p className="text-sm text-muted">
          Full lines are data that was read, left or taken up; dashed ones are code and repeats. Arrow keys
          lead along them, Enter goes to a node.
        </p>
      )}
    </div>
  );
}

interface BeyondProps {
  lineage: Lineage;
  depth: number;
  isBusy: boolean;
  setSearch: SetSearch;
}

/** What is not shown, and the way to it. */
function Beyond({ lineage: { nodes, more, hidden }, depth, isBusy, setSearch }: BeyondProps) {
  const isFull = nodes.length >= MOST_NODES;
  const told = useRef<HTMLParagraphElement>(null);
  const others = nodes.length - 1;
  return (
    <div className="grid gap-2">
      {more || others > 0 ? (
        <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
          <p role="status" ref={told} tabIndex={-1}>
            {plural(others, "other thing")} within {plural(depth, "step")}.{" "}
            {isFull
              ? `No more than ${MOST_NODES} are told at once: go to one of them to see what is beyond it.`
              : more
                ? "There is more beyond."
                : "That is all."}
          </p>
          {more && !isFull && depth < FARTHEST ? (
            <Button
              size="sm"
              busy={isBusy}
              onClick={() => {
                // The button may be gone once one is there: what it led to has the focus.
                told.current?.focus();
                setSearch({ depth: String(Math.min(FARTHEST, depth + FURTHER)) });
              }}
            >
              {plural(FURTHER, "step")} further
            </Button>
          ) : null}
        </div>
      ) : null}
      {hidden > 0 ? (
        <p className="flex items-center gap-2 rounded border border-dashed border-line-strong px-3 py-2 text-muted">
          <Icon name="shield" />
          {plural(hidden, "neighbour is", "neighbours are")} of projects that you may not see.
        </p>
      ) : null}
    </div>
  );
}
