/** A tree of files to look through, wherever it is kept: what a job ran or left, a version of a dataset. */
import * as api from "@cairn/api/operations";
import type { File, List } from "@cairn/api/types";
import { contentUrl, notebookPageUrl, versionContentUrl } from "~/paths";

export interface FileTree {
  /** Names it in the cache. */
  key: readonly (string | number)[];
  list: (query: api.FilesQuery, signal: AbortSignal) => Promise<List<File>>;
  /** Where a file's bytes are served from: `download` asks for an attachment. */
  content: (path: string, download?: boolean) => string;
  /** What names a file of it on the command line and as an input; null where nothing does. */
  reference: (path: string) => string | null;
  /** A notebook as a page by itself; null where there is none. */
  page: (path: string) => string | null;
}

export function jobTree(job: { project: string; number: number }, tree: api.Tree): FileTree {
  const isOutput = tree === "outputs";
  return {
    key: [job.project, job.number, tree],
    list: (query, signal) => api.listFiles(job.project, job.number, tree, query, signal),
    content: (path, download) => contentUrl(job, tree, path, download),
    reference: path => (isOutput ? `${job.project}#${job.number}/${path}` : null),
    page: path => (isOutput && path.endsWith(".ipynb") ? notebookPageUrl(job, path) : null),
  };
}

/** Kept by what it holds: a dataset that was deleted and made anew gives the same numbers to other files. */
export function versionTree(of: {
  project: string;
  dataset: string;
  number: number;
  digest: string;
}): FileTree {
  return {
    key: [of.project, "dataset", of.dataset, of.number, of.digest],
    list: (query, signal) => api.listVersionFiles(of.project, of.dataset, of.number, query, signal),
    content: (path, download) => versionContentUrl(of, path, download),
    reference: path => `${of.project}/${of.dataset}:${of.number}/${path}`,
    page: () => null,
  };
}
