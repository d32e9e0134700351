/** A server on its way up: the phases, which one it is in, since when, and the last lines of its log. */
import * as api from "@cairn/api/operations";
import type { LogLine, Workspace } from "@cairn/api/types";
import { useQuery } from "@tanstack/react-query";
import { cx } from "~/lib/class";
import { useNow } from "~/lib/clock";
import { plainText } from "~/logs/ansi";
import { Icon } from "~/ui/Icon";

/** The log of a server, read again while it grows. */
function useTail(workspace: Workspace): LogLine[] {
  const beat = useNow(2000);
  const isLive = workspace.state === "starting";
  const { data } = useQuery({
    queryKey: ["workspace-log", workspace.id, workspace.state, isLive ? beat : 0],
    queryFn: ({ signal }) => readTail(workspace.id, signal),
    placeholderData: before => before,
    gcTime: 10_000,
    retry: false,
  });
  return data ?? [];
}

async function readTail(id: string, signal: AbortSignal): Promise<LogLine[]> {
  let lines: LogLine[] = [];
  let offset = 0;
  for (let page = 0; page < 40; page += 1) {
    const { items, next } = await api.getWorkspaceLog(id, offset, signal);
    lines = [...lines, ...items].slice(-400);
    if (items.length === 0 || next === offset) break;
    offset = next;
  }
  return lines;
}

/** The end of a log is what one looks for. */
const atEnd = (element: HTMLElement | null) => {
  if (element) element.scrollTop = element.scrollHeight;
};

export function ServerLog({ workspace, lines = 8 }: { workspace: Workspace; lines?: number }) {
  const tail = useTail(workspace).slice(-lines);
  if (tail.length === 0) return null;
  return (
    <pre
      ref={atEnd}
      role="group"
      tabIndex={0}
      aria-label="Last lines of the server’s log"
      className="max-h-80 overflow-auto rounded border border-line bg-sunken px-3 py-2 text-[12px] leading-[18px] text-muted"
    >
      {tail.map(line => plainText(line.text)).join("\n")}
    </pre>
  );
}

/** What a start goes through, in the order in which it does. */
const PHASES = ["Building the environment", "Fetching the inputs", "Starting JupyterLab"];

function Phases({ phase }: { phase: string }) {
  const at = PHASES.indexOf(phase);
  if (at < 0) return null;
  return (
    <ol className="flex flex-wrap gap-x-5 gap-y-1.5">
      {PHASES.map((name, index) => (
        <li
          key={name}
          aria-current={index === at ? "step" : undefined}
          className={cx("flex items-center gap-1.5", index === at ? "font-medium" : "text-muted")}
        >
          {index < at ? <Icon name="check" className="text-ok" /> : null}
          {index === at ? <Icon name="ring" turning className="text-busy" /> : null}
          {index > at ? <Icon name="circle" className="text-faint" /> : null}
          {name}
        </li>
      ))}
    </ol>
  );
}

export function StartProgress({ workspace }: { workspace: Workspace }) {
  const phase = workspace.phase || "Starting";
  return (
    <div className="grid min-w-0 gap-3">
      <div role="status">
        {PHASES.includes(phase) ? (
          <Phases phase={phase} />
        ) : (
          <p className="flex items-center gap-2 font-medium">
            <Icon name="ring" turning className="text-busy" />
            {phase}
          </p>
        )}
      </div>
      <div className="relative h-0.5 overflow-hidden rounded-full bg-hover">
        <span className="sweep absolute inset-y-0 left-0 w-1/3 rounded-full bg-busy" />
      </div>
      <ServerLog workspace={workspace} />
    </div>
  );
}
