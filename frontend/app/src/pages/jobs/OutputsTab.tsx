/** What a job left. */

import type { File } from "@cairn/api/types";
import { Attach } from "~/components/Attach";
import { FileBrowser } from "~/components/FileBrowser";
import { inputName } from "~/components/InputPicker";
import { jobTree } from "~/files/tree";
import { useJob } from "~/hooks/useJob";
import { bytes, plural } from "~/lib/format";
import { isOver } from "~/lib/job";
import { Command } from "~/ui/Copy";
import { Empty } from "~/ui/Empty";
import { Notice } from "~/ui/Notice";

const byInterest = (files: File[]): File | undefined =>
  files.find(file => file.path.endsWith(".ipynb")) ?? files.find(file => file.kind === "file");

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
          {outputs.files > 0 ? (
            <Attach name={inputName(job)} reference={() => `${job.project}#${job.number}`} />
          ) : null}
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
        tree={jobTree(job, "outputs")}
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
