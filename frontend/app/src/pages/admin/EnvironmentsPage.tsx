/** The environments: what they hold, whether they are built, and the log of building them. */
import * as api from "@cairn/api/operations";
import type { Environment } from "@cairn/api/types";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { LoaderFunctionArgs } from "react-router";
import { useNow } from "~/lib/clock";
import { prefetch, usePrefetched } from "~/lib/query";
import { requireUser } from "~/lib/session";
import { plainText } from "~/logs/ansi";
import { environmentsQuery } from "~/queries/projects";
import { Button } from "~/ui/Button";
import { Empty } from "~/ui/Empty";
import { ErrorNotice } from "~/ui/Notice";
import { Card, Page } from "~/ui/Page";
import { EnvironmentBadge } from "~/ui/State";
import { AdminTabs } from "./AdminTabs";

export async function loader({ request }: LoaderFunctionArgs): Promise<null> {
  await requireUser(request);
  await prefetch({ ...environmentsQuery, staleTime: 0 });
  return null;
}

function BuildLog({ environment }: { environment: Environment }) {
  const beat = useNow(2000);
  const isLive = environment.state === "building";
  const log = useQuery({
    queryKey: ["environment-log", environment.name, environment.state, isLive ? beat : 0],
    queryFn: ({ signal }) => api.getEnvironmentLog(environment.name, 0, signal),
    placeholderData: before => before,
    gcTime: 10_000,
  });
  if (log.error) return <ErrorNotice error={log.error} />;
  return (
    <pre
      role="group"
      tabIndex={0}
      aria-label={`Build log of ${environment.name}`}
      className="max-h-90 overflow-auto rounded border border-line bg-sunken px-3 py-2 text-[12px] leading-[18px]"
    >
      {log.data ? plainLines(log.data.text) : "…"}
    </pre>
  );
}

const plainLines = (text: string): string =>
  text ? text.split("\n").map(plainText).join("\n") : "Nothing was printed yet.";

function Row({ environment }: { environment: Environment }) {
  const client = useQueryClient();
  const [open, setOpen] = useState(false);
  const build = useMutation({
    mutationFn: () => api.buildEnvironment(environment.name),
    onSettled: () => client.invalidateQueries({ queryKey: environmentsQuery.queryKey }),
  });
  return (
    <Card className="grid gap-3 p-4">
      <div className="flex flex-wrap items-center gap-3">
        <h2 className="text-lg font-medium">{environment.name}</h2>
        <EnvironmentBadge state={environment.state} />
        <div className="ml-auto flex gap-2">
          <Button size="sm" onClick={() => setOpen(!open)} aria-expanded={open}>
            {open ? "Hide the log" : "Build log"}
          </Button>
          {environment.state === "ready" ? null : (
            <Button
              size="sm"
              look="primary"
              icon="bolt"
              busy={build.isPending || environment.state === "building"}
              onClick={() => build.mutate()}
            >
              Build
            </Button>
          )}
        </div>
      </div>
      <p className="text-sm text-muted">
        {environment.python ? `Python ${environment.python} · ` : ""}
        <span className="font-mono break-words">{environment.image ?? environment.packages.join(" ")}</span>
      </p>
      {environment.message ? (
        <p className="text-sm whitespace-pre-wrap text-bad">{environment.message}</p>
      ) : null}
      <ErrorNotice error={build.error} />
      {open ? <BuildLog environment={environment} /> : null}
    </Card>
  );
}

export function Component() {
  const environments = usePrefetched(environmentsQuery).items;
  return (
    <Page title="Administration" tab="Environments">
      <AdminTabs />
      <div className="grid gap-3">
        {environments.map(environment => (
          <Row key={environment.name} environment={environment} />
        ))}
      </div>
      {environments.length === 0 ? (
        <Empty icon="box" title="No environment is configured">
          Add one to <code>cairn.toml</code>: a name and the Python packages in it.
        </Empty>
      ) : (
        <p className="text-sm text-muted">
          Environments are described in <code>cairn.toml</code>. The first start that needs one builds it.
        </p>
      )}
    </Page>
  );
}
