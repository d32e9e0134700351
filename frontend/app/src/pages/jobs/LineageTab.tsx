/** What a job came from, and what came of it. */
import { useJob } from "~/hooks/useJob";
import { LineageView } from "~/lineage/LineageView";
import { Empty } from "~/ui/Empty";

export function Component() {
  const job = useJob();
  return (
    <LineageView
      project={job.project}
      reference={`#${job.number}`}
      empty={
        <Empty icon="link" title="It stands alone" command={`--input ${job.project}#${job.number}`}>
          It read no data, and nothing has used yet what it left. Give its outputs to a workspace or another
          job, and they are connected here.
        </Empty>
      }
    />
  );
}
