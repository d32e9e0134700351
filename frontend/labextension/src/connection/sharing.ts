/** Whether the server has what was typed into documents that several people may edit at once. They have connections of their own. */
import type { Contents, ContentsManager } from "@jupyterlab/services";

/** The parts of `jupyter-docprovider`'s objects that are looked at. It has no package that Lab would share. */
interface Provider {
  /** Null before the first connection, and where there can be none. */
  wsProvider?: { wsconnected: boolean; synced: boolean } | null;
}
interface Sharing {
  providers?: ReadonlyMap<string, Provider>;
}

/** What looks after shared documents; null where nothing does. */
function sharing(contents: Contents.IManager): Sharing | null {
  try {
    return ((contents as ContentsManager).defaultDrive.contentProviderRegistry?.getProvider("rtc") ??
      null) as Sharing | null;
  } catch {
    return null;
  }
}

/**
 * Whether every shared document is connected and in step with the server. Without a connection saving such a document does nothing and says
 * that it went well. False also where this version of the provider does not say.
 */
export function isInStep(contents: Contents.IManager): boolean {
  const shared = sharing(contents);
  if (shared === null) return true;
  if (!(shared.providers instanceof Map)) return false;
  return [...shared.providers.values()].every(
    ({ wsProvider }: Provider) => wsProvider?.wsconnected === true && wsProvider.synced,
  );
}
