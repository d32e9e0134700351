/** A job's log. */

import type { Job } from "@cairn/api/types";
import { useParams } from "react-router";
import { useJob } from "~/hooks/useJob";
import { useSearch } from "~/hooks/useSearch";
import { isOver } from "~/lib/job";
import { LogView } from "~/logs/LogView";
import { useLog } from "~/logs/useLog";
import { IconButton } from "~/ui/Button";
import { Empty } from "~/ui/Empty";
import { ErrorNotice } from "~/ui/Notice";

/** Saves the lines that are here as a file: for a running job, the log so far. */
function download(
  job: Job,
  store: { length: number; line: (index: number) => { text: string } | null },
): void {
  const parts: string[] = [];
  for (let index = 0; index < store.length; index += 1) parts.push(`${store.line(index)?.text ?? ""}\n`);
  const url = URL.createObjectURL(new Blob(parts, { type: "text/plain" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${job.project}-${job.number}.log`;
  link.click();
  URL.revokeObjectURL(url);
}

function Log({ job }: { job: Job }) {
  const { store, error, version } = useLog({ project: job.project, number: job.number });
  const [search, setSearch] = useSearch();
  const linked = Number(search.get("line")) || null;
  if (store.length === 0 && store.ended) {
    return (
      <Empty icon="jobs" title="Nothing was printed">
        {isOver(job.state)
          ? "The job ended without a line of output."
          : "Lines appear here as they are printed."}
      </Empty>
    );
  }
  return (
    <div className="flex h-[70dvh] min-h-90 flex-none flex-col gap-2 md:h-[calc(100dvh-250px)]">
      <ErrorNotice error={error} title="The log is interrupted; trying again" />
      <LogView
        store={store}
        version={version}
        linked={linked}
        onLink={line => setSearch({ line: line === null ? null : String(line) })}
        needle={search.get("find") ?? ""}
        onNeedle={find => setSearch({ find })}
        actions={
          <IconButton
            label="Download the log"
            icon="download"
            size="sm"
            onClick={() => download(job, store)}
          />
        }
      />
    </div>
  );
}

export function Component() {
  const { project, number } = useParams();
  const job = useJob();
  return <Log key={`${project}#${number}`} job={job} />;
}
