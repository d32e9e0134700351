/** The code that a job ran: the snapshot, as it was. */
import type { File } from "@cairn/api/types";
import { FileBrowser } from "~/components/FileBrowser";
import { jobTree } from "~/files/tree";
import { useJob } from "~/hooks/useJob";
import { Empty } from "~/ui/Empty";

export function Component() {
  const job = useJob();
  const first = (files: File[]) =>
    files.find(file => file.path === job.notebook) ??
    files.find(file => job.command?.includes(file.path)) ??
    files.find(file => file.kind === "file");
  return (
    <FileBrowser
      tree={jobTree(job, "files")}
      first={first}
      empty={
        <Empty icon="file" title="The snapshot has no files">
          The folder was empty when the job was made.
        </Empty>
      }
    />
  );
}
