/** The files that someone dropped or chose, with the folders that they lie in. */
import type { Picked } from "./plan";

/** Of a chooser: of folders, where it is one for folders. */
export function ofChooser(files: Iterable<File>): Picked[] {
  return Array.from(files, file => ({ path: file.webkitRelativePath || file.name, file }));
}

const fileOf = (entry: FileSystemFileEntry): Promise<File> =>
  new Promise((resolve, reject) => entry.file(resolve, reject));

/** A reader tells some entries at a time, and none at the end. */
async function entriesOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return all;
    all.push(...some);
  }
}

async function walk(entry: FileSystemEntry, within: string, found: Picked[]): Promise<void> {
  const path = within + entry.name;
  try {
    if (entry.isFile) found.push({ path, file: await fileOf(entry as FileSystemFileEntry) });
    else if (entry.isDirectory) {
      for (const child of await entriesOf(entry as FileSystemDirectoryEntry))
        await walk(child, `${path}/`, found);
    }
  } catch (cause) {
    if (cause instanceof DOMException) throw new Error(`${path} cannot be read: ${cause.message}`, { cause });
    throw cause;
  }
}

/** Of a drop. To be called while the event is handled: its items are gone afterwards. */
export async function ofDrop(transfer: DataTransfer): Promise<Picked[]> {
  const entries = Array.from(transfer.items, item => item.webkitGetAsEntry());
  const plain = ofChooser(transfer.files);
  if (entries.every(entry => entry === null)) return plain;
  const found: Picked[] = [];
  for (const entry of entries) if (entry) await walk(entry, "", found);
  return found;
}

export const holdsFiles = (transfer: DataTransfer | null): boolean =>
  transfer?.types.includes("Files") ?? false;
