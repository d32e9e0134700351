/** Which cells run, in what order and why; each can be left out, and others taken in. */
import type { NeededCell } from "../api/types";
import { Icon } from "../ui/Icon";
import type { RunModel, RunState } from "./model";
import { because } from "./reasons";

export function CellList({ model, state }: { model: RunModel; state: RunState }) {
  const { proposal, draft, isAnalysing, analysisError } = state;
  if (analysisError) {
    return (
      <div className="cairn-Failure" role="alert">
        {analysisError}{" "}
        <button type="button" className="cairn-Link" onClick={() => void model.analyse()}>
          Try again
        </button>
      </div>
    );
  }
  if (!proposal) return <Skeleton rows={Math.max(3, model.selected.length)} />;
  const proposed = new Set(proposal.cells.map(each => each.cell));
  const others = [...model.cells.values()].filter(each => !proposed.has(each.cell));
  return (
    <div className="cairn-CellList" aria-busy={isAnalysing}>
      <ol>
        {proposal.cells.map(needed => (
          <CellRow
            key={needed.cell}
            model={model}
            cell={needed.cell}
            needed={needed}
            isOn={!draft.dropped.includes(needed.cell)}
          />
        ))}
      </ol>
      {others.length > 0 ? (
        <details>
          <summary>Other cells ({others.length})</summary>
          <ol>
            {others.map(({ cell }) => (
              <CellRow key={cell} model={model} cell={cell} needed={null} isOn={false} />
            ))}
          </ol>
        </details>
      ) : null}
      {proposal.doubts.length > 0 ? (
        <ul className="cairn-Doubts" aria-label="What could not be told">
          {proposal.doubts.map(doubt => (
            <li key={doubt}>
              <Icon name="alert" /> <span>{quoted(doubt)}</span>
            </li>
          ))}
        </ul>
      ) : null}
    </div>
  );
}

interface RowProps {
  model: RunModel;
  cell: number;
  /** Why it is proposed; null where it is not. */
  needed: NeededCell | null;
  isOn: boolean;
}

function CellRow({ model, cell, needed, isOn }: RowProps) {
  const summary = model.cells.get(cell);
  const isFixed = model.selected.includes(cell);
  const reasons = because(needed?.reasons ?? []);
  return (
    <li data-doubt={needed?.doubt ?? false} data-cell={cell}>
      <label>
        <input
          type="checkbox"
          checked={isOn}
          disabled={isFixed}
          onChange={event => model.tick(cell, event.target.checked)}
        />
        <span className="cairn-CellList-ran">[{summary?.ran ?? " "}]</span>
        <code title={summary?.title}>{summary?.title ?? "(empty)"}</code>
        <span className="cairn-CellList-why" title={reasons}>
          {needed?.doubt ? (
            <span className="cairn-CellList-doubt" title="It may not be needed after all">
              ?<span className="cairn-mod-hidden"> in doubt: </span>
            </span>
          ) : null}
          {reasons}
        </span>
      </label>
    </li>
  );
}

/** What the analysis names stands between backticks. */
const quoted = (text: string) =>
  text.split("`").map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part));

export function Skeleton({ rows }: { rows: number }) {
  return (
    <div className="cairn-SkeletonRows" role="status" aria-label="Looking what the cells need">
      {Array.from({ length: rows }, (_, row) => (
        <span key={row} className="cairn-Skeleton" />
      ))}
    </div>
  );
}
