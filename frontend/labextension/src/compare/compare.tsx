/** Shows what differs between a job's notebook and the one in the workspace, cell by cell. Sources only, as text; outputs never. */
import { MainAreaWidget } from "@jupyterlab/apputils";
import { ReactWidget } from "@jupyterlab/ui-components";
import type { Notebook } from "../api/types";
import { sourceOf } from "../run/notebook";
import { mark } from "../ui/mark";
import { type Cell, type CellChange, diffCells, type Step } from "./diff";

interface Side {
  label: string;
  notebook: Notebook;
}

/** Cells in a row of which there is not much to say. */
interface Fold {
  what: "same" | "left out";
  cells: Cell[];
}

function cellsOf({ cells }: Notebook): Cell[] {
  const all = Array.isArray(cells) ? (cells as Record<string, unknown>[]) : [];
  return all.map(cell => ({
    id: typeof cell.id === "string" ? cell.id : null,
    kind: String(cell.cell_type),
    source: sourceOf(cell),
  }));
}

const LABELS = { added: "only now", removed: "only in the job", changed: "changed", same: "" } as const;

/** `isPart`: the job ran some of the cells only, so that those it did not have say nothing. */
export function createComparison(job: Side, now: Side, isPart: boolean): MainAreaWidget {
  const changes = diffCells(cellsOf(job.notebook), cellsOf(now.notebook));
  const parts = folded(changes, isPart);
  const content = ReactWidget.create(<Comparison job={job.label} now={now.label} parts={parts} />);
  content.addClass("cairn-Comparison");
  const widget = new MainAreaWidget({ content });
  widget.title.label = `${job.label} ↔ ${now.label.split("/").at(-1)}`;
  widget.title.icon = mark;
  widget.title.closable = true;
  return widget;
}

function Comparison({ job, now, parts }: { job: string; now: string; parts: (CellChange | Fold)[] }) {
  const count = parts.filter(part => !("cells" in part)).length;
  return (
    <article aria-label={`${job} compared with ${now}`}>
      <header>
        <h1>
          {job} <span aria-hidden="true">→</span> {now}
        </h1>
        <p className="cairn-mod-muted">
          {count === 0
            ? "What the job ran is what stands here."
            : `${count === 1 ? "One cell differs" : `${count} cells differ`}: − stood in the job, + stands in the workspace now.`}
        </p>
      </header>
      {parts.map((part, index) => (
        <Part key={index} part={part} />
      ))}
    </article>
  );
}

function folded(changes: readonly CellChange[], isPart: boolean): (CellChange | Fold)[] {
  const parts: (CellChange | Fold)[] = [];
  for (const change of changes) {
    const what = change.what === "added" && isPart ? "left out" : change.what;
    const last = parts.at(-1);
    if (what !== "same" && what !== "left out") parts.push(change);
    else if (last && "cells" in last && last.what === what) last.cells.push(change.cell);
    else parts.push({ what, cells: [change.cell] });
  }
  return parts;
}

function foldText({ what, cells }: Fold): string {
  const many = cells.length > 1;
  const count = many ? `${cells.length} cells` : "1 cell";
  if (what === "same") return `${count} ${many ? "are" : "is"} the same`;
  return `${count} ${many ? "were" : "was"} not part of the job`;
}

function Part({ part }: { part: CellChange | Fold }) {
  if ("cells" in part) {
    return (
      <details className="cairn-Comparison-same">
        <summary>{foldText(part)}</summary>
        {part.cells.map((cell, index) => (
          <pre key={index} tabIndex={0}>
            {cell.source || " "}
          </pre>
        ))}
      </details>
    );
  }
  const sign = part.what === "added" ? "+" : "-";
  const lines: Step<string>[] =
    part.what === "changed" ? part.lines : part.cell.source.split("\n").map(value => ({ sign, value }));
  return (
    <section
      className="cairn-Comparison-cell"
      data-what={part.what}
      aria-label={`${part.cell.kind} cell, ${LABELS[part.what]}`}
    >
      <h2>
        {part.cell.kind} cell <span className="cairn-mod-muted">{LABELS[part.what]}</span>
      </h2>
      <pre tabIndex={0}>
        {lines.map((line, index) => (
          <span key={index} data-sign={line.sign}>
            <span className="cairn-Comparison-sign">
              {line.sign === "=" ? " " : line.sign === "-" ? "−" : "+"}
            </span>
            {line.value}
            {"\n"}
          </span>
        ))}
      </pre>
    </section>
  );
}
