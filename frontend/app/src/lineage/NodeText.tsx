/** What is said of a node of a lineage: what it is, who made it when, and of a job with what code, where and for how much. */
import type { JobState, LineageNode } from "@cairn/api/types";
import { micros, money } from "~/lib/money";
import { Icon, type IconName } from "~/ui/Icon";
import { JobBadge } from "~/ui/State";
import { Ago } from "~/ui/Time";
import { nodeName } from "./graph";

/** A kind that a newer server may have made up has no word. */
const KINDS: Partial<Record<LineageNode["kind"], { icon: IconName; word: string }>> = {
  version: { icon: "data", word: "Version" },
  job: { icon: "jobs", word: "Job" },
  workspace: { icon: "workspace", word: "Workspace" },
};

const SHOWN = 8;

export function NodeText({ node, within }: { node: LineageNode; within: string }) {
  const { icon, word } = KINDS[node.kind] ?? { icon: "circle" as const, word: "" };
  const cost = micros(node.cost);
  const place = [node.environment, node.machine].filter(Boolean).join(" on ");
  const digest = node.code_digest ?? (node.kind === "version" ? node.manifest_digest : null);
  return (
    <>
      <span className="flex min-w-0 items-center gap-2">
        <Icon name={icon} className="text-muted" />
        <span className="min-w-0 flex-1 truncate font-medium">
          <span className="sr-only">{word} </span>
          {nodeName(node, within)}
        </span>
        {node.state ? <JobBadge state={node.held ? "held" : (node.state as JobState)} /> : null}
      </span>
      {node.title ? <span className="block truncate text-sm">{node.title}</span> : null}
      <span className="block truncate text-sm text-muted">
        {node.user}, <Ago ms={node.created_ms} />
        {cost === null ? null : (
          <>
            {" · "}
            <span className="sr-only">cost </span>
            {money(cost)}
          </>
        )}
      </span>
      {place ? <span className="block truncate text-sm text-muted">{place}</span> : null}
      {digest ? (
        <span className="block truncate text-sm text-muted" title={digest}>
          {node.code_digest ? "code" : "files"} <code>{digest.slice(0, SHOWN)}</code>
        </span>
      ) : null}
    </>
  );
}
