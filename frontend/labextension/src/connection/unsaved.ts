/** What is typed into documents and not saved, and how it gets to a server that does not know the page any more. */
import type { JupyterFrontEnd } from "@jupyterlab/application";
import type { Contents } from "@jupyterlab/services";
import { saveNew } from "../lab/contents";

/** What is used of a document's context. */
export interface Document {
  readonly path: string;
  readonly isDisposed?: boolean;
  readonly contentsModel: Pick<Contents.IModel, "type" | "format" | "hash"> | null;
  readonly model: {
    dirty: boolean;
    readonly collaborative?: boolean;
    toJSON: () => unknown;
    toString: () => string;
  };
  save: () => Promise<void>;
}

/** The documents in the main area that are marked as not saved. */
export function unsaved(shell: JupyterFrontEnd["shell"]): Document[] {
  return [...shell.widgets("main")].flatMap(widget => {
    const { context } = widget as { context?: Document };
    return context?.model?.dirty ? [context] : [];
  });
}

/** How often something is saved while somebody types into it. */
const TRIES = 3;

/**
 * Saves documents with `save`, which takes their marks away whatever was typed while it went on: that is marked again, and saved again.
 * Rejects where somebody types on and on; what is not saved is marked then.
 */
export async function saveSteadily(
  documents: readonly Document[],
  save: () => Promise<unknown>,
): Promise<void> {
  for (let left = TRIES; left > 0; left -= 1) {
    const saved = new Map(documents.map(each => [each, each.model.toString()]));
    await save();
    const changed = documents.filter(each => !each.isDisposed && each.model.toString() !== saved.get(each));
    if (changed.length === 0) return;
    for (const { model } of changed) model.dirty = true;
  }
  throw new Error("Something was typed each time that it was saved");
}

/**
 * Saves a document. A shared one whose connection the new server refuses is written past it: in its place where the file is as it was, else beside
 * it. Returns the path of what was put beside.
 */
export async function rescue(contents: Contents.IManager, document: Document): Promise<string | null> {
  const { model, path, contentsModel } = document;
  let copy: string | null = null;
  let known = contentsModel?.hash;
  const { type, format } = contentsModel ?? { type: "file", format: "text" as const };
  const writePast = async () => {
    const there = await contents.get(path, { type, format, content: true, hash: true });
    const text = () =>
      isWindows(there.content) ? model.toString().replaceAll("\n", "\r\n") : model.toString();
    const saved = { type, format, content: format === "json" ? model.toJSON() : text() };
    if (copy !== null) await contents.save(copy, saved);
    else if (there.hash && there.hash === known) {
      await contents.save(path, saved);
      known = (await contents.get(path, { type, format, content: false, hash: true })).hash;
    } else copy = await saveNew(contents, path, saved);
    model.dirty = false;
  };
  await saveSteadily([document], () => (model.collaborative ? writePast() : document.save()));
  return copy;
}

const isWindows = (content: unknown): boolean => typeof content === "string" && content.includes("\r\n");
