/** JSON to look through: objects and lists fold. */

import type { Json } from "@cairn/api/types";
import { useState } from "react";
import { Button } from "~/ui/Button";

const MOST = 200;

function Entries({ entries, depth }: { entries: [string, Json][]; depth: number }) {
  const [shown, setShown] = useState(MOST);
  return (
    <ul className="border-l border-line pl-4">
      {entries.slice(0, shown).map(([key, value]) => (
        <li key={key}>
          <Node name={key} value={value} depth={depth + 1} />
        </li>
      ))}
      {entries.length > shown ? (
        <li>
          <Button size="sm" look="quiet" onClick={() => setShown(shown + 10 * MOST)}>
            {entries.length - shown} more
          </Button>
        </li>
      ) : null}
    </ul>
  );
}

function Node({ name, value, depth }: { name?: string; value: Json; depth: number }) {
  const label = name === undefined ? null : <span className="text-muted">{name}: </span>;
  if (value === null || typeof value !== "object") {
    const ink =
      typeof value === "string"
        ? "var(--ansi-2)"
        : typeof value === "number"
          ? "var(--ansi-3)"
          : "var(--ansi-4)";
    return (
      <span className="break-words">
        {label}
        <span style={{ color: ink }}>{JSON.stringify(value)}</span>
      </span>
    );
  }
  const entries = Object.entries(value);
  const about = Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`;
  return (
    <details open={depth < 2}>
      <summary className="rounded">
        {label}
        <span className="text-faint">{about}</span>
      </summary>
      <Entries entries={entries} depth={depth} />
    </details>
  );
}

export function JsonView({ text }: { text: string }) {
  try {
    return (
      <div className="overflow-x-auto px-4 py-3 font-mono text-[12.5px] leading-[20px]">
        <Node value={JSON.parse(text) as Json} depth={0} />
      </div>
    );
  } catch {
    return <pre className="overflow-x-auto px-3 py-2 text-[12.5px]">{text}</pre>;
  }
}
