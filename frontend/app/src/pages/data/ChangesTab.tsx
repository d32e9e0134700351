/** What changed from another version to this one. */
import type { ChangedPath, Dataset, Version } from "@cairn/api/types";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import { Link } from "react-router";
import { useSearch } from "~/hooks/useSearch";
import { useTyped } from "~/hooks/useTyped";
import { cx } from "~/lib/class";
import { count, HOW, HOWS, type How, isHow, rows } from "~/lib/diff";
import { plural } from "~/lib/format";
import { paths } from "~/paths";
import { diffQuery, versionsQuery } from "~/queries/datasets";
import { SelectField, TextField } from "~/ui/Field";
import { ErrorNotice, Notice } from "~/ui/Notice";
import { Card } from "~/ui/Page";
import { Loading } from "~/ui/Skeleton";

const ROW = 32;
const INKS: Record<How, string> = {
  added: "text-ok bg-ok-soft",
  removed: "text-bad bg-bad-soft",
  modified: "text-warn bg-warn-soft",
};

function Sign({ how }: { how: How }) {
  return (
    <span
      aria-hidden="true"
      className={cx("grid size-5 shrink-0 place-items-center rounded-sm font-mono font-medium", INKS[how])}
    >
      {HOW[how].sign}
    </span>
  );
}

/** Where the path is to be seen: in this version, or in the older one where it was removed. */
function Changes({ found, pathTo }: { found: ChangedPath[]; pathTo: (change: ChangedPath) => string }) {
  const parent = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: found.length,
    getScrollElement: () => parent.current,
    estimateSize: () => ROW,
    overscan: 12,
    initialRect: { width: 800, height: 600 },
  });
  return (
    <section
      ref={parent}
      tabIndex={0}
      aria-label="Changed files"
      className="max-h-[60dvh] overflow-auto -outline-offset-2"
    >
      <ul className="relative" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(row => {
          const change = found[row.index];
          if (!change) return null;
          return (
            <li
              key={change.path}
              aria-setsize={found.length}
              aria-posinset={row.index + 1}
              className="absolute inset-x-0 top-0 flex items-center gap-2.5 px-3"
              style={{ height: ROW, transform: `translateY(${row.start}px)` }}
            >
              <Sign how={change.change} />
              <span className="w-16 shrink-0 text-sm text-muted">{HOW[change.change].word}</span>
              <Link
                to={pathTo(change)}
                title={change.path}
                className="min-w-0 truncate rounded font-mono text-sm hover:underline"
              >
                {change.path}
              </Link>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

interface Props {
  dataset: Dataset;
  version: Version;
}

export function ChangesTab({ dataset, version }: Props) {
  const { project, name } = dataset;
  const [search, setSearch] = useSearch();
  const versions =
    useInfiniteQuery(versionsQuery(project, name)).data?.pages.flatMap(page => page.items) ?? [];
  const from = search.get("from");
  const diff = useQuery(diffQuery(project, name, version.number, from));
  const shown = search.get("show");
  const how = isHow(shown) ? shown : null;
  const [words, type] = useTyped(search.get("in") ?? "", text => setSearch({ in: text }));
  const all = diff.data?.changes;
  const found = useMemo(() => rows(all ?? [], how, words), [all, how, words]);
  const counts = useMemo(() => count(all ?? []), [all]);
  const others = versions.filter(each => each.number !== version.number);
  const before = diff.data?.from ?? null;
  const fileIn = (number: number, path: string) =>
    `${paths.dataset(project, name, number)}?${new URLSearchParams({ path })}`;
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] gap-3">
      <div className="flex flex-wrap items-end gap-3">
        <div className="w-56 max-w-full">
          <SelectField
            label="Compared with"
            value={from ?? (before === null ? "" : String(before))}
            onChange={event => setSearch({ from: event.target.value })}
          >
            {before === null && !from ? <option value="">no other version</option> : null}
            {from && !others.some(each => String(each.number) === from) ? (
              <option value={from}>{from}</option>
            ) : null}
            {others.map(each => (
              <option key={each.id} value={each.number}>
                version {each.number}
                {each.message ? `: ${each.message.slice(0, 40)}` : ""}
              </option>
            ))}
          </SelectField>
        </div>
        <div className="w-56 max-w-full">
          <TextField
            label="Paths with"
            type="search"
            value={words}
            onChange={event => type(event.target.value)}
          />
        </div>
      </div>
      <ErrorNotice error={diff.error} title="The versions could not be compared" />
      {diff.isPending ? <Loading /> : null}
      {diff.data && before === null ? (
        <p className="text-muted">
          There is no version before this one to compare it with. All its {plural(version.files, "file")} are
          new.
        </p>
      ) : null}
      {diff.data && before !== null && diff.data.changes.length === 0 ? (
        <p className="text-muted">
          Nothing: version {before} and version {version.number} hold the same files.
        </p>
      ) : null}
      {diff.data && before !== null && diff.data.changes.length > 0 ? (
        <>
          {diff.data.more ? (
            <Notice tone="warn" title="There are more changes than these">
              The first {plural(diff.data.changes.length, "path")} that differ, in the order of their names.{" "}
              <code>{`cairn data diff ${name}:${before} ${name}:${version.number}`}</code> says the same;
              fetch both versions to compare all of them.
            </Notice>
          ) : null}
          <fieldset className="flex flex-wrap gap-2">
            <legend className="sr-only">Which changes</legend>
            {HOWS.map(each => (
              <button
                key={each}
                type="button"
                aria-pressed={how === each}
                disabled={counts[each] === 0}
                onClick={() => setSearch({ show: how === each ? null : each })}
                className={cx(
                  "inline-flex h-7 items-center gap-2 rounded border pr-2.5 pl-1 text-sm disabled:opacity-55",
                  how === each
                    ? "border-accent bg-accent-soft"
                    : "border-line-strong bg-surface hover:bg-hover",
                )}
              >
                <Sign how={each} />
                {counts[each].toLocaleString("en-US")} {HOW[each].word}
              </button>
            ))}
          </fieldset>
          <Card className="overflow-hidden">
            {found.length > 0 ? (
              <Changes
                found={found}
                pathTo={({ path, change }) => fileIn(change === "removed" ? before : version.number, path)}
              />
            ) : (
              <p className="px-3 py-2 text-muted">No change is like that.</p>
            )}
          </Card>
        </>
      ) : null}
    </div>
  );
}
