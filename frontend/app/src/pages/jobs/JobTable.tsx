/** The table of jobs: only the rows in sight exist, whatever their number. */
import type { Job } from "@cairn/api/types";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef } from "react";
import { cx } from "~/lib/class";
import { Icon } from "~/ui/Icon";
import type { Column } from "./columns";

const ROW = 44;

export interface TableProps {
  jobs: Job[];
  columns: Column[];
  sort: { key: string; descending: boolean };
  onSort: (key: string) => void;
  selected: Set<number>;
  onSelect: (number: number) => void;
  current: number;
  scrollTo: React.RefObject<((index: number) => void) | null>;
}

function Head({
  columns,
  sort,
  onSort,
  template,
}: Pick<TableProps, "columns" | "sort" | "onSort"> & { template: string }) {
  return (
    <div
      role="row"
      aria-rowindex={1}
      className="sticky top-0 z-10 grid h-9 items-center border-b border-line bg-sunken text-sm"
      style={{ gridTemplateColumns: template }}
    >
      <span role="columnheader">
        <span className="sr-only">Selected</span>
      </span>
      {columns.map(column => {
        const isSorted = sort.key === column.key || (column.key === "created" && sort.key === "number");
        return (
          <span
            key={column.key}
            role="columnheader"
            aria-sort={isSorted ? (sort.descending ? "descending" : "ascending") : "none"}
            className={cx("min-w-0", column.numeric && "text-right")}
          >
            <button
              type="button"
              onClick={() => onSort(column.key === "created" ? "number" : column.key)}
              className={cx(
                "inline-flex max-w-full items-center gap-1 rounded px-2 hover:text-text",
                isSorted ? "font-medium" : "text-muted",
              )}
            >
              <span className="truncate">{column.label}</span>
              {isSorted ? (
                <Icon name="down" className={cx("size-3", !sort.descending && "rotate-180")} />
              ) : null}
            </button>
          </span>
        );
      })}
    </div>
  );
}

export function JobTable({ jobs, columns, sort, onSort, selected, onSelect, current, scrollTo }: TableProps) {
  const parent = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: jobs.length,
    getScrollElement: () => parent.current,
    estimateSize: () => ROW,
    overscan: 12,
    initialRect: { width: 1000, height: 800 },
  });
  scrollTo.current = index => rows.scrollToIndex(index);
  const template = `40px ${columns.map(column => column.width).join(" ")}`;
  const minWidth = 40 + columns.reduce((sum, column) => sum + Number(/\d+/.exec(column.width)?.[0] ?? 80), 0);
  return (
    <div
      ref={parent}
      tabIndex={0}
      className="min-h-40 flex-1 overflow-auto rounded-lg border border-line bg-surface"
      role="table"
      aria-label="Jobs"
      aria-rowcount={jobs.length + 1}
    >
      <div style={{ minWidth }} role="rowgroup">
        <Head columns={columns} sort={sort} onSort={onSort} template={template} />
        <div className="relative" style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map(row => {
            const job = jobs[row.index];
            if (!job) return null;
            return (
              <div
                key={job.number}
                role="row"
                aria-rowindex={row.index + 2}
                data-current={row.index === current || undefined}
                className={cx(
                  "absolute inset-x-0 top-0 grid items-center border-b border-line hover:bg-bg",
                  selected.has(job.number) && "bg-accent-soft hover:bg-accent-soft",
                  row.index === current && "outline-2 -outline-offset-2 outline-accent",
                )}
                style={{
                  gridTemplateColumns: template,
                  height: ROW,
                  transform: `translateY(${row.start}px)`,
                }}
              >
                <span role="cell" className="grid place-items-center">
                  <input
                    type="checkbox"
                    className="size-4 accent-accent"
                    aria-label={`Select #${job.number}`}
                    checked={selected.has(job.number)}
                    onChange={() => onSelect(job.number)}
                  />
                </span>
                {columns.map(column => (
                  <span
                    role="cell"
                    key={column.key}
                    className={cx("min-w-0 truncate px-2", column.numeric && "text-right")}
                  >
                    {column.cell(job)}
                  </span>
                ))}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
