/** The last lines of a server's log, read again while it grows. */
import * as api from "@cairn/api/operations";
import type { LogLine, Workspace } from "@cairn/api/types";
import { useQuery } from "@tanstack/react-query";
import { useNow } from "~/lib/clock";
import { plainText } from "~/logs/ansi";

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
