/** A notebook to read: its cells with their outputs. Nothing in it runs. */
import { useMemo } from "react";
import { cx } from "~/lib/class";
import { parseAnsi } from "~/logs/ansi";
import { ErrorNotice } from "~/ui/Notice";
import { Code } from "./Code";
import { Markdown } from "./Markdown";
import { type Cell, type Output, parseNotebook } from "./notebook";
import { SafeHtml } from "./SafeHtml";

const MOST_CHARACTERS = 200_000;

function Terminal({ text, isError }: { text: string; isError: boolean }) {
  const shown =
    text.length > MOST_CHARACTERS
      ? `${text.slice(0, MOST_CHARACTERS)}\n… ${text.length - MOST_CHARACTERS} more characters`
      : text;
  return (
    <pre
      role="group"
      tabIndex={0}
      aria-label={isError ? "Error output" : "Output"}
      className={cx("max-h-120 overflow-auto px-3 py-2 text-[12px] leading-[18px]", isError && "bg-bad-soft")}
    >
      {shown.split("\n").map((line, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have no identity and never move
        <span key={row}>
          {parseAnsi(line).map((span, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: spans have no identity and never move
            <span key={index} style={span.style.color ? { color: span.style.color } : undefined}>
              {span.text}
            </span>
          ))}
          {"\n"}
        </span>
      ))}
    </pre>
  );
}

function OutputView({ output }: { output: Output }) {
  if (output.kind === "text") return <Terminal text={output.text} isError={output.isError} />;
  if (output.kind === "html") {
    return (
      <div className="px-3 py-2">
        <SafeHtml html={output.html} />
      </div>
    );
  }
  // As an image nothing in it can run or load, also when it is SVG.
  return (
    <img
      src={`data:${output.mime};base64,${output.base64}`}
      alt={output.alt || "Output of the cell"}
      className="max-w-full bg-white p-2"
    />
  );
}

function CellView({ cell }: { cell: Cell }) {
  if (cell.kind === "markdown") {
    return (
      <div className="px-3 py-1">
        <Markdown text={cell.source} />
      </div>
    );
  }
  const tag = cell.isInjected ? "parameters of this job" : cell.isParameters ? "parameters" : null;
  return (
    <div className="min-w-0">
      <div
        className={cx(
          "min-w-0 overflow-hidden rounded border bg-sunken",
          cell.isInjected ? "border-accent" : "border-line",
        )}
      >
        {tag || cell.count !== null ? (
          <p className="flex gap-3 px-3 pt-1 text-xs text-faint">
            {cell.count !== null ? <span className="font-mono">[{cell.count}]</span> : null}
            {tag ? <span className={cell.isInjected ? "text-accent" : undefined}>{tag}</span> : null}
          </p>
        ) : null}
        <Code text={cell.source} colored={cell.kind === "code"} />
      </div>
      {cell.outputs.map((output, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: outputs have no identity and never move
        <OutputView key={index} output={output} />
      ))}
    </div>
  );
}

export function NotebookView({ text }: { text: string }) {
  const parsed = useMemo(() => {
    try {
      return { notebook: parseNotebook(text), error: null };
    } catch (error) {
      return { notebook: null, error };
    }
  }, [text]);
  if (!parsed.notebook) return <ErrorNotice error={parsed.error} />;
  return (
    <div className="grid max-w-240 gap-3 p-3">
      {parsed.notebook.cells.map((cell, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: cells are only read and never move
        <CellView key={index} cell={cell} />
      ))}
    </div>
  );
}
