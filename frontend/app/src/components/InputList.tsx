/** The inputs of a workspace or a job: what is mounted where. */
import type { Input } from "@cairn/api/types";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { bytes, plural } from "~/lib/format";
import { parseReference, referencePath } from "~/lib/reference";
import { CopyButton } from "~/ui/Copy";
import { Icon } from "~/ui/Icon";

/** What is not in it because it was damaged, where that was allowed. */
function LeftOut({ input: { left_out } }: { input: Input }) {
  if (!left_out) return null;
  const { files, paths } = left_out;
  if (files === 0)
    return <p className="text-sm text-muted">Taken before a check had found it whole again.</p>;
  const more = files > paths.length ? ` and ${files - paths.length} more` : "";
  return (
    <details className="text-sm">
      <summary className="cursor-pointer text-warn">
        <Icon name="alert" className="mr-1 inline" />
        {plural(files, "damaged file")} left out, {bytes(left_out.bytes)}
      </summary>
      <p className="mt-1 break-words text-muted">
        {paths.join(", ")}
        {more}
      </p>
    </details>
  );
}

export function InputList({
  inputs,
  project,
  action,
}: {
  inputs: Input[];
  project: string;
  action?: (input: Input) => ReactNode;
}) {
  return (
    <ul className="divide-y divide-line">
      {inputs.map(input => {
        const reference = parseReference(input.ref, project);
        return (
          <li key={input.name} className="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2.5">
            <Icon name="input" className="text-muted" />
            <div className="min-w-0 flex-1">
              <p className="flex items-center gap-1 truncate">
                <code className="truncate">/cairn/inputs/{input.name}</code>
                <CopyButton text={`/cairn/inputs/${input.name}`} label="Copy the path" />
              </p>
              <p className="text-sm text-muted">
                {reference ? (
                  <Link
                    className="rounded underline decoration-line-strong underline-offset-2 hover:decoration-current"
                    to={referencePath(reference)}
                  >
                    {input.ref}
                  </Link>
                ) : (
                  input.ref
                )}
                {` · ${plural(input.files, "file")}, ${bytes(input.bytes)}`}
              </p>
              <LeftOut input={input} />
            </div>
            {action?.(input)}
          </li>
        );
      })}
    </ul>
  );
}
