/** The files of the workspace, by Lab's own way to them. */
import type { Contents } from "@jupyterlab/services";
import { freeName } from "./paths";

/** The paths in a folder. */
async function list(contents: Contents.IManager, folder: string): Promise<Set<string>> {
  const { content } = await contents.get(folder);
  return new Set((content as Contents.IModel[]).map(each => (folder ? `${folder}/${each.name}` : each.name)));
}

const folderOf = (path: string): string => path.split("/").slice(0, -1).join("/");

/** Makes a folder and those above it. What is not there is seen in the folder above: asking for it would be an error in the console. */
async function makeFolder(contents: Contents.IManager, path: string): Promise<void> {
  if (path === "") return;
  await makeFolder(contents, folderOf(path));
  const above = await list(contents, folderOf(path));
  if (!above.has(path)) await contents.save(path, { type: "directory", format: "json", content: null });
}

/** Saves something at `path`, or beside it where something is there already, and returns where. */
export async function saveNew(
  contents: Contents.IManager,
  path: string,
  what: Partial<Contents.IModel>,
): Promise<string> {
  const folder = folderOf(path);
  await makeFolder(contents, folder);
  const free = freeName(path, await list(contents, folder));
  await contents.save(free, what);
  return free;
}
