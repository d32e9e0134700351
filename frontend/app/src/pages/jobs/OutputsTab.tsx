/** What a job left. */

import * as api from "@cairn/api/operations";
import type { File, Job } from "@cairn/api/types";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "react-router";
import { FileBrowser } from "~/components/FileBrowser";
import { inputName } from "~/components/InputPicker";
import { useJob } from "~/hooks/useJob";
import { bytes, plural } from "~/lib/format";
import { isOver } from "~/lib/job";
import { paths } from "~/paths";
import { myWorkspacesQuery, workspaceQuery } from "~/queries/projects";
import { Command } from "~/ui/Copy";
import { Empty } from "~/ui/Empty";
import { Menu } from "~/ui/Menu";
import { ErrorNotice, Notice } from "~/ui/Notice";
import { toast } from "~/ui/Toasts";

const byInterest = (files: File[]): File | undefined =>
  files.find(file => file.path.endsWith(".ipynb")) ?? files.find(file => file.kind === "file");

/** Attaches these outputs to one of one's workspaces. */
function Attach({ job }: { job: Job }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const workspaces = useQuery(myWorkspacesQuery).data?.items ?? [];
  const attach = useMutation({
    mutationFn: ({ id }: { id: string; project: string; name: string }) =>
      api.attachInput(id, inputName(job), `${job.project}#${job.number}`),
    onSuccess: async (_, workspace) => {
      await client.invalidateQueries({ queryKey: workspaceQuery(workspace.id).queryKey });
      await navigate(paths.workspace(workspace.project, workspace.id));
      toast(`Attached to ${workspace.name} as inputs/${inputName(job)}`);
    },
  });
  if (workspaces.length === 0) return null;
  return (
    <div className="grid gap-2">
      <Menu
        label="Attach to a workspace"
        title="Attach to"
        button={{ icon: "input", busy: attach.isPending }}
        items={workspaces.map(each => ({
          label: each.name,
          hint: each.project,
          onSelect: () => attach.mutate(each),
        }))}
      >
        Attach to a workspace
      </Menu>
      <ErrorNotice error={attach.error} />
    </div>
  );
}

export function Component() {
  const job = useJob();
  if (!job.outputs) {
    return (
      <Empty
        icon="box"
        title={isOver(job.state) ? "This job left no outputs" : "Outputs are kept when the job ends"}
      >
        Whatever a job writes into <code>/cairn/outputs</code> is kept, also when it fails or is stopped.
      </Empty>
    );
  }
  const { outputs } = job;
  return (
    <div className="grid gap-4">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <p className="text-muted">
          {plural(outputs.files, "file")}, {bytes(outputs.bytes)}
        </p>
        <div className="flex flex-wrap items-center gap-2">
          <Command text={`cairn outputs ${job.project}#${job.number} get .`} />
          {outputs.files > 0 ? <Attach job={job} /> : null}
        </div>
      </div>
      {outputs.skipped.length > 0 ? (
        <Notice tone="warn" title={`${plural(outputs.skipped.length, "file")} left out`}>
          <ul className="mt-1 grid gap-0.5 text-sm">
            {outputs.skipped.slice(0, 20).map(each => (
              <li key={each.path}>
                <code>{each.path}</code> <span className="text-muted">{each.reason}</span>
              </li>
            ))}
          </ul>
        </Notice>
      ) : null}
      <FileBrowser
        job={job}
        tree="outputs"
        first={byInterest}
        empty={
          <Empty icon="box" title="This job left no outputs">
            Whatever a job writes into <code>/cairn/outputs</code> is kept, also when it fails or is stopped.
          </Empty>
        }
      />
    </div>
  );
}
