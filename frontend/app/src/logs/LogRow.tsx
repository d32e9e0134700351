/** One line of a log: its number as a link to it, its time, its coloured text with what was searched for marked. */
import { memo, type ReactNode } from "react";
import { cx } from "~/lib/class";
import { clockTime, exactTime } from "~/lib/format";
import { parseAnsi, type Span } from "./ansi";
import type { Line } from "./store";

const MOST = 8000;

function styleOf({ style }: Span): React.CSSProperties {
  const color = style.inverse ? (style.background ?? "var(--surface)") : style.color;
  const background = style.inverse ? (style.color ?? "var(--text)") : style.background;
  return {
    ...(color ? { color } : {}),
    ...(background ? { background } : {}),
    ...(style.bold ? { fontWeight: 650 } : {}),
    ...(style.dim ? { opacity: 0.75 } : {}),
    ...(style.italic ? { fontStyle: "italic" } : {}),
    ...(style.underline ? { textDecoration: "underline" } : {}),
  };
}

function marked(text: string, needle: string): ReactNode {
  if (!needle) return text;
  const parts: ReactNode[] = [];
  const lower = text.toLowerCase();
  const wanted = needle.toLowerCase();
  let at = 0;
  for (let hit = lower.indexOf(wanted); hit >= 0 && wanted; hit = lower.indexOf(wanted, at)) {
    parts.push(
      text.slice(at, hit),
      <mark key={hit} className="rounded-sm bg-warn-soft text-warn outline outline-warn/50">
        {text.slice(hit, hit + wanted.length)}
      </mark>,
    );
    at = hit + wanted.length;
  }
  parts.push(text.slice(at));
  return parts;
}

interface Props {
  line: Line;
  needle: string;
  isLinked: boolean;
  isHit: boolean;
  onLink: (number: number) => void;
}

export const LogRow = memo(function LogRow({ line, needle, isLinked, isHit, onLink }: Props) {
  const text =
    line.text.length > MOST ? `${line.text.slice(0, MOST)} … (${line.text.length - MOST} more)` : line.text;
  return (
    <div
      className={cx(
        "flex min-w-full",
        line.stream === "stderr" && "shadow-[inset_2px_0_0_var(--warn)]",
        line.stream === "system" && "text-busy",
        isLinked ? "bg-accent-soft" : isHit && "bg-hover",
      )}
    >
      <button
        type="button"
        tabIndex={-1}
        aria-label={`Link to line ${line.index + 1}`}
        title={exactTime(line.ms)}
        onClick={() => onLink(line.index + 1)}
        className="w-14 shrink-0 pr-3 text-right text-faint select-none hover:text-text hover:underline"
      >
        {line.index + 1}
      </button>
      <span className="w-27 shrink-0 text-faint select-none max-md:hidden">{clockTime(line.ms)}</span>
      <span className="pr-4 whitespace-pre">
        {line.stream === "system" ? "· " : ""}
        {parseAnsi(text).map((span, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: spans have no identity and never move
          <span key={index} style={styleOf(span)}>
            {marked(span.text, needle)}
          </span>
        ))}
      </span>
    </div>
  );
});
