/** A field for a reference to outputs, which offers the jobs that have some. */
import type { Job } from "@cairn/api/types";
import { plural } from "@cairn/app/lib/format";
import { hasOutputs } from "@cairn/app/lib/job";
import type { InputHTMLAttributes } from "react";

interface Props extends Omit<InputHTMLAttributes<HTMLInputElement>, "onChange"> {
  id: string;
  jobs: readonly Job[];
  onType: (text: string) => void;
}

export function RefField({ id, jobs, onType, ...rest }: Props) {
  return (
    <>
      <input
        id={id}
        type="text"
        list={`${id}-jobs`}
        autoComplete="off"
        spellCheck={false}
        onChange={event => onType(event.target.value)}
        {...rest}
      />
      <datalist id={`${id}-jobs`}>
        {jobs.filter(hasOutputs).map(job => (
          <option key={job.number} value={`#${job.number}`}>
            {job.name} · {plural(job.outputs?.files ?? 0, "file")}
          </option>
        ))}
      </datalist>
    </>
  );
}
