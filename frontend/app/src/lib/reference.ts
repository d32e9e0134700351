/** References of the API: `[PROJECT]#NUMBER[/PATH]` for what a job left, `[PROJECT/]NAME:WHICH[/PATH]` for a version of a dataset. Pure. */
import { paths } from "~/paths";

const NAME = "[a-z0-9][a-z0-9._-]*";
const JOB = new RegExp(`^(${NAME})?#([1-9]\\d*)(?:/.*)?$`);
const VERSION = new RegExp(`^(?:(${NAME})/)?(${NAME}):(${NAME})(?:/.*)?$`);
const URI = new RegExp(`^dataset://(?:(${NAME})/)?(${NAME})/(${NAME})/?$`);

export type Reference =
  | { kind: "job"; project: string; number: number }
  | { kind: "version"; project: string; dataset: string; which: string };

/** What a reference that is used in `project` names; null where it is none. */
export function parseReference(text: string, project: string): Reference | null {
  const job = JOB.exec(text);
  if (job) return { kind: "job", project: job[1] ?? project, number: Number(job[2]) };
  const version = VERSION.exec(text) ?? URI.exec(text);
  const [, of, dataset, which] = version ?? [];
  return dataset && which ? { kind: "version", project: of ?? project, dataset, which } : null;
}

/** Where the app shows it. */
export function referencePath(reference: Reference): string {
  return reference.kind === "job"
    ? paths.job(reference.project, reference.number, "outputs")
    : paths.dataset(reference.project, reference.dataset, reference.which);
}

/** The version as it is named in `project`. */
export function versionReference(
  dataset: { project: string; name: string },
  which: number | string,
  project: string,
): string {
  return `${dataset.project === project ? "" : `${dataset.project}/`}${dataset.name}:${which}`;
}
