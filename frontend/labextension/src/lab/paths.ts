/** How Lab's paths, which begin in the home, and the project folder's paths relate. Pure. */

/** The project folder in the home. */
const PROJECT = "work/";

/** The path within the project folder; null for what is not in it. Drives of other extensions (`RTC:…`) are passed over. */
export function inProject(labPath: string): string | null {
  const path = labPath.replace(/^[\w-]+:/, "").replace(/^\/+/, "");
  return path.startsWith(PROJECT) && path.length > PROJECT.length ? path.slice(PROJECT.length) : null;
}

export const inLab = (projectPath: string): string => PROJECT + projectPath;

/** The notebook that a job ran, as it is called in the workspace: that of selected cells has another ending. */
export const original = (projectPath: string): string => projectPath.replace(/\.cells\.ipynb$/, ".ipynb");

/** Where a job's executed notebook is put. */
export function jobNotebook(number: number, name: string): string {
  const base = name.split("/").at(-1) ?? "notebook.ipynb";
  return inLab(`jobs/${number}/${base}`);
}

/** The first of `path`, `path-2`, `path-3`… (before its ending) that is not taken. */
export function freeName(path: string, taken: ReadonlySet<string>): string {
  if (!taken.has(path)) return path;
  const dot = path.lastIndexOf(".");
  const end = dot > path.lastIndexOf("/") ? dot : path.length;
  for (let number = 2; ; number += 1) {
    const candidate = `${path.slice(0, end)}-${number}${path.slice(end)}`;
    if (!taken.has(candidate)) return candidate;
  }
}

/** The id of the workspace in the address of its server; null where it is no workspace of Cairn. */
export const workspaceOf = (base: string): string | null => /\/w\/([^/]+)\/$/.exec(base)?.[1] ?? null;
