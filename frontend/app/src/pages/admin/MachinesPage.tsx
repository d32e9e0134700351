/** The machines: the hosts with what they have and who holds it, and the types that work can ask for. */
import type { MachineType } from "@cairn/api/types";
import { useState } from "react";
import type { LoaderFunctionArgs } from "react-router";
import { MachineTypeRow } from "~/components/MachineTypes";
import { duration } from "~/lib/format";
import { prefetch, usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { machinesQuery, machineTypesQuery } from "~/queries/projects";
import { Button } from "~/ui/Button";
import { Card, Page, Section } from "~/ui/Page";
import { AddMachine } from "./AddMachine";
import { AdminTabs } from "./AdminTabs";
import { MachineCard } from "./MachineCard";

export async function loader({ request }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  await Promise.all([prefetch({ ...machinesQuery, staleTime: 0 }), prefetch(machineTypesQuery)]);
  return null;
}

function Types({ types }: { types: MachineType[] }) {
  return (
    <Section
      title="Machine types"
      about={
        <>
          What work can ask for. They are described in <code>cairn.toml</code>.
        </>
      }
    >
      <Card>
        <ul className="divide-y divide-line">
          {types.map(type => (
            <li key={type.name}>
              <MachineTypeRow type={type} />
              {type.time_limit_ms ? (
                <p className="-mt-1 px-4 pb-2.5 text-sm text-muted">
                  Jobs stop after {duration(type.time_limit_ms)}
                </p>
              ) : null}
            </li>
          ))}
        </ul>
      </Card>
    </Section>
  );
}

export function Component() {
  const machines = usePrefetched(machinesQuery).items;
  const types = usePrefetched(machineTypesQuery).items;
  const [adding, setAdding] = useState(false);
  return (
    <Page
      title="Administration"
      tab="Machines"
      actions={
        <Button look="primary" icon="plus" onClick={() => setAdding(true)}>
          Add a machine
        </Button>
      }
    >
      <AdminTabs />
      <div className="grid gap-3">
        {machines.map(machine => (
          <MachineCard key={machine.id} machine={machine} />
        ))}
      </div>
      <Types types={types} />
      {adding ? <AddMachine onClose={() => setAdding(false)} /> : null}
    </Page>
  );
}
