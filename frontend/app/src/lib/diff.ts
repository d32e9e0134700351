/** What changed between two versions, as rows to show. Pure. */
import type { ChangedPath } from "@cairn/api/types";

export type How = ChangedPath["change"];

export const HOW: Record<How, { sign: string; word: string }> = {
  added: { sign: "+", word: "added" },
  removed: { sign: "−", word: "removed" },
  modified: { sign: "~", word: "changed" },
};
export const HOWS = Object.keys(HOW) as How[];

export const isHow = (text: string | null): text is How => HOWS.some(how => how === text);

export function count(changes: ChangedPath[]): Record<How, number> {
  const counts: Record<How, number> = { added: 0, removed: 0, modified: 0 };
  for (const { change } of changes) counts[change] += 1;
  return counts;
}

/** Those of one kind, or all, whose path holds the words. */
export function rows(changes: ChangedPath[], how: How | null, words: string): ChangedPath[] {
  const needles = words.toLowerCase().split(/\s+/).filter(Boolean);
  return changes.filter(
    ({ path, change }) =>
      (how === null || change === how) && needles.every(needle => path.toLowerCase().includes(needle)),
  );
}
