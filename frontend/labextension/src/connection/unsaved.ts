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

/**
 * Saves a document. A shared one whose connection the new server refuses is written past it: in its place where the file is as it was, else beside
 * it. Returns the path of what was put beside.
 */
export async function rescue(contents: Contents.IManager, document: Document): Promise<string | null> {
  const { model, path, contentsModel } = document;
  if (!model.collaborative) {
    await document.save();
    return null;
  }
  const { type, format } = contentsModel ?? { type: "file", format: "text" as const };
  const there = await contents.get(path, { type, format, content: true, hash: true });
  const text = () =>
    isWindows(there.content) ? model.toString().replaceAll("\n", "\r\n") : model.toString();
  const saved = { type, format, content: format === "json" ? model.toJSON() : text() };
  const isAsItWas = Boolean(there.hash) && there.hash === contentsModel?.hash;
  const copy = isAsItWas ? null : await saveNew(contents, path, saved);
  if (isAsItWas) await contents.save(path, saved);
  model.dirty = false;
  return copy;
}

const isWindows = (content: unknown): boolean => typeof content === "string" && content.includes("\r\n");
