/** What of the picked files goes where. Pure. */

export interface Picked {
  /** With the names of the folders that it lies in, from the picked one on. */
  path: string;
  file: File;
}

export interface Plan {
  /** In the order of their paths. */
  files: Picked[];
  bytes: number;
  /** What no version can hold, and why. */
  leftOut: { path: string; why: string }[];
}

const MOST_PATH_BYTES = 4096;
const MOST_NAME_BYTES = 255;
const MOST_DEPTH = 64;

const byteLength = (text: string): number => new TextEncoder().encode(text).length;

/** Why a path cannot be kept; null where it can. The server has the last word. */
export function pathProblem(path: string): string | null {
  const names = path.split("/");
  if (names.some(name => name === "" || name === "." || name === ".."))
    return "part of its path has no name of its own";
  if (path.includes("\u0000")) return "its name holds a NUL";
  // A browser puts U+FFFD where a name on the disk is no Unicode: under that name it would be another file.
  if (/\p{Surrogate}|\uFFFD/u.test(path)) return "its name is not Unicode";
  if (byteLength(path) > MOST_PATH_BYTES) return "its path is too long";
  if (names.some(name => byteLength(name) > MOST_NAME_BYTES)) return "its name is too long";
  if (names.length > MOST_DEPTH) return `it is deeper than ${MOST_DEPTH} folders`;
  return null;
}

/** Every folder that the paths lie in. */
function foldersOf(paths: Iterable<string>): Set<string> {
  const folders = new Set<string>();
  for (const path of paths) {
    let end = path.lastIndexOf("/");
    while (end > 0 && !folders.has(path.slice(0, end))) {
      folders.add(path.slice(0, end));
      end = path.lastIndexOf("/", end - 1);
    }
  }
  return folders;
}

/** The one folder that everything lies in; null where there are several, or files beside it. */
function topFolder(picked: Picked[]): string | null {
  const [first] = picked;
  const end = first?.path.indexOf("/") ?? -1;
  const top = first && end > 0 ? first.path.slice(0, end + 1) : null;
  return top && picked.every(each => each.path.startsWith(top)) ? top : null;
}

/** A picked folder is the top of the version: its own name is no part of the paths. Nothing is lost without a word. */
export function plan(picked: Picked[]): Plan {
  const top = topFolder(picked);
  const byPath = new Map<string, Picked>();
  const leftOut: Plan["leftOut"] = [];
  for (const { path: whole, file } of picked) {
    const path = top ? whole.slice(top.length) : whole;
    const why = pathProblem(path);
    if (why) leftOut.push({ path, why });
    else if (byPath.has(path)) leftOut.push({ path, why: "another picked file has this path" });
    else byPath.set(path, { path, file });
  }
  for (const folder of foldersOf(byPath.keys()))
    if (byPath.delete(folder))
      leftOut.push({ path: folder, why: "other picked files have it as their folder" });
  const files = [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  return { files, bytes: files.reduce((sum, each) => sum + each.file.size, 0), leftOut };
}
