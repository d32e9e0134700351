/** The machine types and how much of each is free. */
import type { LoaderFunctionArgs } from "react-router";
import { MachineTypeRow } from "~/components/MachineTypes";
import { duration } from "~/lib/format";
import { prefetch, usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { machineTypesQuery } from "~/queries/projects";
import { Card, Page, Section } from "~/ui/Page";
import { AdminTabs } from "./AdminTabs";

export async function loader({ request }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  await prefetch(machineTypesQuery);
  return null;
}

export function Component() {
  const types = usePrefetched(machineTypesQuery).items;
  return (
    <Page title="Administration" tab="Machines">
      <AdminTabs />
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
    </Page>
  );
}
