/** The machine types and how much of each is free. */
import type { LoaderFunctionArgs } from "react-router";
import { MachineMeters } from "~/components/MachineMeters";
import { duration } from "~/lib/format";
import { prefetch, usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { machinesQuery } from "~/queries/projects";
import { Page } from "~/ui/Page";
import { AdminTabs } from "./AdminTabs";

export async function loader({ request }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  await prefetch(machinesQuery);
  return null;
}

export function Component() {
  const machines = usePrefetched(machinesQuery).items;
  return (
    <Page title="Administration" tab="Machines">
      <AdminTabs />
      <div className="grid grid-cols-[repeat(auto-fill,minmax(min(280px,100%),1fr))] gap-3">
        {machines.map(machine => (
          <div key={machine.name} className="grid gap-1.5">
            <MachineMeters machine={machine} />
            {machine.time_limit_ms ? (
              <p className="px-1 text-sm text-muted">Jobs stop after {duration(machine.time_limit_ms)}</p>
            ) : null}
          </div>
        ))}
      </div>
      <p className="text-sm text-muted">
        Machine types are described in <code>cairn.toml</code>.
      </p>
    </Page>
  );
}
