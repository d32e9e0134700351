/** Every address of the app. Nothing else builds one by hand. */

const enc = encodeURIComponent;

export const paths = {
  start: () => "/",
  signIn: (next?: string) => (next && next !== "/" ? `/sign-in?next=${enc(next)}` : "/sign-in"),
  signOut: () => "/sign-out",
  device: (code?: string) => (code ? `/device?code=${enc(code)}` : "/device"),
  open: (workspaceId: string, next?: string) =>
    `/open/${enc(workspaceId)}${next ? `?next=${enc(next)}` : ""}`,
  /** Where JupyterLab's "Restart Server" leads: asks on what machine. */
  restart: (workspaceId: string) => `/open/${enc(workspaceId)}?choose=1`,
  account: () => "/account",
  admin: (tab?: "environments" | "machines" | "audit") => (tab ? `/admin/${tab}` : "/admin"),
  project: (project: string) => `/p/${enc(project)}/workspaces`,
  workspaces: (project: string) => `/p/${enc(project)}/workspaces`,
  newWorkspace: (project: string) => `/p/${enc(project)}/workspaces?new=1`,
  workspace: (project: string, id: string) => `/p/${enc(project)}/workspaces/${enc(id)}`,
  jobs: (project: string) => `/p/${enc(project)}/jobs`,
  newJob: (project: string, from?: { workspace?: string; notebook?: string }) => {
    const query = new URLSearchParams();
    if (from?.workspace) query.set("workspace", from.workspace);
    if (from?.notebook) query.set("notebook", from.notebook);
    const text = query.toString();
    return `/p/${enc(project)}/jobs/new${text ? `?${text}` : ""}`;
  },
  job: (project: string, number: number, tab?: JobTab) =>
    `/p/${enc(project)}/jobs/${number}${tab && tab !== "overview" ? `/${tab}` : ""}`,
  data: (project: string) => `/p/${enc(project)}/data`,
  newDataset: (project: string) => `/p/${enc(project)}/data?new=1`,
  /** Without a version the newest; `latest` and other aliases are versions too. */
  dataset: (project: string, name: string, version?: number | string) =>
    `/p/${enc(project)}/data/${enc(name)}${version === undefined ? "" : `/${enc(version)}`}`,
  datasetLineage: (project: string, name: string, version: number | string) =>
    `${paths.dataset(project, name, version)}?tab=lineage`,
  settings: (project: string) => `/p/${enc(project)}/settings`,
};

export type JobTab = "overview" | "log" | "charts" | "outputs" | "code" | "lineage";

/** A notebook that a job left as a page to read and to print. */
export function notebookPageUrl(job: { project: string; number: number }, path: string): string {
  return `/api/v1/projects/${enc(job.project)}/jobs/${job.number}/outputs/page?${new URLSearchParams({ path })}`;
}

/** Where a file's bytes are served from: `download` asks for an attachment. */
export function contentUrl(
  job: { project: string; number: number },
  tree: "files" | "outputs",
  path: string,
  download = false,
): string {
  const query = new URLSearchParams({ path });
  if (download) query.set("download", "1");
  return `/api/v1/projects/${enc(job.project)}/jobs/${job.number}/${tree}/content?${query}`;
}

/** The same for a file of a dataset's version. */
export function versionContentUrl(
  of: { project: string; dataset: string; number: number },
  path: string,
  download = false,
): string {
  const query = new URLSearchParams({ path });
  if (download) query.set("download", "1");
  return `/api/v1/projects/${enc(of.project)}/datasets/${enc(of.dataset)}/versions/${of.number}/files/content?${query}`;
}

/** A `next` of the address bar is followed only inside the app: a path, never another origin. */
export function safeNext(next: string | null | undefined): string {
  if (!next?.startsWith("/") || next.startsWith("//") || next.includes("\\")) return "/";
  return next;
}
