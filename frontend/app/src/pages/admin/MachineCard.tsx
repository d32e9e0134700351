/** One machine: its state, what it has and how much of it is in use, each device and who holds it, what runs there. */
import * as api from "@cairn/api/operations";
import type { Machine, MachineDevice, MachineRun } from "@cairn/api/types";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";
import { plural } from "~/lib/format";
import { runName, runPath, uses } from "~/lib/host";
import { machinesQuery } from "~/queries/projects";
import { Confirm } from "~/ui/Confirm";
import { Menu, type MenuItem } from "~/ui/Menu";
import { ErrorNotice } from "~/ui/Notice";
import { Card, Meter } from "~/ui/Page";
import { MachineBadge } from "~/ui/State";
import { Ago, Lasting } from "~/ui/Time";
import { TokenDialog } from "./AddMachine";

const LINK = "rounded underline decoration-line-strong underline-offset-2 hover:decoration-current";

function Device({ device }: { device: MachineDevice }) {
  return (
    <li className="grid gap-0.5 rounded border border-line px-3 py-2">
      <p className="flex items-baseline justify-between gap-2">
        <span className="truncate" title={device.model}>
          {device.model || "GPU"}
        </span>
        <span className="shrink-0 text-sm text-muted">{device.id}</span>
      </p>
      {device.held ? (
        <p className="truncate text-sm">
          {device.run ? (
            <>
              <Link className={LINK} to={runPath(device.run)}>
                {runName(device.run)}
              </Link>
              <span className="text-muted"> of {device.run.user}</span>
            </>
          ) : (
            <span className="text-muted">in use</span>
          )}
        </p>
      ) : (
        <p className="flex items-center gap-1.5 text-sm text-ok">
          <span aria-hidden="true" className="mx-0.5 size-2 rounded-full bg-current" />
          free
        </p>
      )}
    </li>
  );
}

function Runs({ runs }: { runs: MachineRun[] }) {
  if (runs.length === 0) return null;
  return (
    <ul className="grid gap-1 border-t border-line pt-3" aria-label="What runs there">
      {runs.map(run => (
        <li
          key={`${run.kind}${run.project}${run.workspace_id ?? run.number}`}
          className="flex flex-wrap gap-x-3"
        >
          <Link className={LINK} to={runPath(run)}>
            {runName(run)}
          </Link>
          <span className="text-sm text-muted">
            {run.kind} of {run.user} · {run.machine} · <Lasting from={run.started_ms} />
          </span>
        </li>
      ))}
    </ul>
  );
}

function useActions(machine: Machine, askRemove: () => void) {
  const client = useQueryClient();
  const refresh = () => client.invalidateQueries({ queryKey: machinesQuery.queryKey });
  const update = useMutation({
    mutationFn: (draining: boolean) => api.updateMachine(machine.id, draining),
    onSuccess: refresh,
  });
  const token = useMutation({ mutationFn: () => api.createMachineToken(machine.id) });
  const isDraining = machine.state === "draining";
  const items: MenuItem[] = [
    isDraining
      ? {
          label: "Take new work again",
          icon: "play",
          onSelect: () => update.mutate(false),
        }
      : {
          label: "Drain",
          hint: "What runs there goes on; nothing new begins.",
          icon: "out",
          onSelect: () => update.mutate(true),
        },
  ];
  if (machine.kind === "worker") {
    items.push(
      { label: "New token", icon: "key", hint: "The old one stops working.", onSelect: () => token.mutate() },
      { label: "Remove", icon: "trash", danger: true, onSelect: askRemove },
    );
  }
  return { items, update, token, refresh };
}

function about(machine: Machine): string {
  const parts = [machine.kind === "local" ? "this server" : "worker"];
  if (machine.runtimes.length > 0) parts.push(machine.runtimes.join(", "));
  return parts.join(" · ");
}

export function MachineCard({ machine }: { machine: Machine }) {
  const [removing, setRemoving] = useState(false);
  const { items, update, token, refresh } = useActions(machine, () => setRemoving(true));
  const labels = [...new Set([...machine.labels, ...machine.own_labels])];
  const meters = uses(machine);
  return (
    <Card className="grid gap-4 p-4">
      <div className="flex items-start gap-3">
        <div className="min-w-0 flex-1">
          <div className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
            <h2 className="truncate text-lg font-medium">{machine.name}</h2>
            <MachineBadge state={machine.state} />
            {labels.map(label => (
              <span key={label} className="rounded-full bg-hover px-2 text-sm text-muted">
                {label}
              </span>
            ))}
          </div>
          <p className="text-sm text-muted">
            {about(machine)}
            {machine.state === "offline" ? (
              machine.seen_ms === null ? (
                " · has never connected"
              ) : (
                <>
                  {" · last seen "}
                  <Ago ms={machine.seen_ms} />
                </>
              )
            ) : null}
          </p>
        </div>
        <Menu
          label={`Actions for ${machine.name}`}
          items={items}
          button={{ look: "quiet", icon: "more", busy: update.isPending || token.isPending }}
        />
      </div>
      {meters.length > 0 ? (
        <div className="grid grid-cols-[repeat(auto-fit,minmax(180px,1fr))] gap-x-6 gap-y-3">
          {meters.map(use => (
            <Meter key={use.label} {...use} />
          ))}
        </div>
      ) : null}
      {machine.devices.length > 0 ? (
        <ul
          aria-label={plural(machine.devices.length, "GPU")}
          className="grid grid-cols-[repeat(auto-fill,minmax(min(220px,100%),1fr))] gap-2"
        >
          {machine.devices.map(device => (
            <Device key={device.id} device={device} />
          ))}
        </ul>
      ) : null}
      <Runs runs={machine.runs} />
      <ErrorNotice error={update.error ?? token.error} />
      {token.data ? (
        <TokenDialog machine={machine} token={token.data.token} onClose={() => token.reset()} />
      ) : null}
      {removing ? (
        <Confirm
          title={`Remove ${machine.name}?`}
          verb="Remove machine"
          danger
          run={() => api.deleteMachine(machine.id)}
          onClose={() => setRemoving(false)}
          onDone={async () => {
            setRemoving(false);
            await refresh();
          }}
        >
          <p>
            Its worker is turned away from now on and its token is worth nothing.{" "}
            {machine.runs.length > 0
              ? `${plural(machine.runs.length, "run")} of it ${machine.runs.length === 1 ? "has" : "have"} to end first: drain it and wait, or stop them.`
              : "Nothing runs there now."}
          </p>
          <p className="text-muted">
            Homes whose newest files are only there start elsewhere from their last snapshot. What the records
            say of its runs stays.
          </p>
        </Confirm>
      ) : null}
    </Card>
  );
}
