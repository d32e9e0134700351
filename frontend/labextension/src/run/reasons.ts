/** Why a cell is proposed, in words. Pure. */
import type { Reason } from "../api/types";

/** `defines x, y; may change df`: what several reasons begin with is said once. */
export function because(reasons: readonly Reason[]): string {
  const said = new Map<string, string[]>();
  for (const { text, what } of reasons) {
    const isNamed = what !== null && text.endsWith(` ${what}`);
    const stem = isNamed ? text.slice(0, -what.length) : text;
    said.set(stem, [...(said.get(stem) ?? []), ...(isNamed ? [what] : [])]);
  }
  return [...said].map(([stem, names]) => stem + names.join(", ")).join("; ");
}
