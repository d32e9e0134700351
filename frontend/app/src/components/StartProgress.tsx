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

export function ServerLog({ workspace, lines = 8 }: { workspace: Workspace; lines?: number }) {
  const tail = useTail(workspace).slice(-lines);
  if (tail.length === 0) return null;
  return (
    <pre
      tabIndex={0}
      aria-label="Last lines of the server’s log"
      className="max-h-80 overflow-auto rounded border border-line bg-sunken px-3 py-2 text-[12px] leading-[18px] text-muted"
    >
      {tail.map(line => plainText(line.text)).join("\n")}
    </pre>
  );
}

export function StartProgress({ workspace }: { workspace: Workspace }) {
  return (
    <div className="grid gap-3" role="status">
      <p className="flex items-center gap-2.5 text-lg">
        <Icon name="ring" turning className="text-busy" />
        <span className={cx("first-letter:uppercase")}>{workspace.phase || "Starting"}</span>
      </p>
      <div className="relative h-0.5 overflow-hidden rounded-full bg-hover">
        <span className="sweep absolute inset-y-0 left-0 w-1/3 rounded-full bg-busy" />
      </div>
      <ServerLog workspace={workspace} />
    </div>
  );
}
