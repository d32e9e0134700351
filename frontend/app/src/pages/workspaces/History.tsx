/** The runs of a workspace: when, where, how long, what they cost. */
import type { Workspace, WorkspaceRun } from "@cairn/api/types";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { exactTime, plural } from "~/lib/format";
import { micros, money, sum } from "~/lib/money";
import { workspaceRunsQuery } from "~/queries/projects";
import { Button } from "~/ui/Button";
import { ErrorNotice } from "~/ui/Notice";
import { Card, Section } from "~/ui/Page";
import { Ago, Lasting } from "~/ui/Time";

const FEW = 6;

function Row({ run }: { run: WorkspaceRun }) {
  const cost = micros(run.cost);
  return (
    <tr>
      <td className="py-2 pr-3 pl-4 whitespace-nowrap">
        <Ago ms={run.started_ms} />
      </td>
      <td className="px-3 py-2">
        {run.machine}
        {run.machine_name === run.machine ? null : (
          <span className="text-muted max-sm:hidden"> on {run.machine_name}</span>
        )}
      </td>
      <td
        className="px-3 py-2 text-right whitespace-nowrap"
        title={run.ended_ms ? exactTime(run.ended_ms) : undefined}
      >
        <Lasting from={run.started_ms} to={run.ended_ms} />
      </td>
      <td className="py-2 pr-4 pl-3 text-right">
        {cost === null ? <span className="text-faint">–</span> : money(cost)}
      </td>
    </tr>
  );
}

export function History({ workspace }: { workspace: Workspace }) {
  const runs = useQuery(workspaceRunsQuery(workspace.id));
  const [all, setAll] = useState(false);
  const items = runs.data?.items ?? [];
  const total = sum(items.map(run => micros(run.cost)));
  return (
    <Section
      title="Runs"
      about={
        items.length === 0
          ? "When and where it ran, for how long, and what it cost."
          : `${plural(items.length, "run")}${total === null ? "" : `, ${money(total)} in all`}`
      }
      actions={
        items.length > FEW ? (
          <Button size="sm" look="quiet" onClick={() => setAll(!all)} aria-expanded={all}>
            {all ? "Show the latest" : "Show all"}
          </Button>
        ) : null
      }
    >
      <ErrorNotice error={runs.error} />
      {items.length > 0 ? (
        <Card className="overflow-x-auto">
          <table className="w-full">
            <thead className="text-left text-sm text-muted">
              <tr>
                <th className="py-2 pr-3 pl-4 font-normal">Began</th>
                <th className="px-3 py-2 font-normal">Machine</th>
                <th className="px-3 py-2 text-right font-normal">For</th>
                <th className="py-2 pr-4 pl-3 text-right font-normal">Cost</th>
              </tr>
            </thead>
            <tbody className="divide-y divide-line border-t border-line">
              {(all ? items : items.slice(0, FEW)).map(run => (
                <Row key={run.id} run={run} />
              ))}
            </tbody>
          </table>
        </Card>
      ) : null}
      {runs.data && items.length === 0 ? <p className="text-muted">It has not run yet.</p> : null}
    </Section>
  );
}
