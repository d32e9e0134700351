/** The inputs of a workspace or a job: what is mounted where. */
import type { Input } from "@cairn/api/types";
import type { ReactNode } from "react";
import { Link } from "react-router";
import { bytes, plural } from "~/lib/format";
import { parseReference, referencePath } from "~/lib/reference";
import { CopyButton } from "~/ui/Copy";
import { Icon } from "~/ui/Icon";

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
            </div>
            {action?.(input)}
          </li>
        );
      })}
    </ul>
  );
}
