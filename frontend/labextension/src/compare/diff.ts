/** What differs between two lists, and between the cells of two notebooks. Pure; after Myers' greedy algorithm, in its plain form. */

export interface Step<T> {
  /** Kept in both, gone from the first, new in the second. */
  sign: "=" | "-" | "+";
  value: T;
}

/** Beyond so many differences the rest is taken as replaced: nobody reads it, and it would cost time. */
const MOST_STEPS = 1000;

/** The shortest way from `before` to `after`. */
export function diff<T>(
  before: readonly T[],
  after: readonly T[],
  same: (a: T, b: T) => boolean = Object.is,
): Step<T>[] {
  let head = 0;
  while (head < before.length && head < after.length && isSame(before, after, head, head, same)) head += 1;
  let tail = 0;
  const shorter = Math.min(before.length, after.length) - head;
  while (tail < shorter && isSame(before, after, before.length - 1 - tail, after.length - 1 - tail, same))
    tail += 1;
  const as = (sign: Step<T>["sign"]) => (value: T) => ({ sign, value });
  return [
    ...after.slice(0, head).map(as("=")),
    ...middle(before.slice(head, before.length - tail), after.slice(head, after.length - tail), same),
    ...after.slice(after.length - tail).map(as("=")),
  ];
}

const isSame = <T>(a: readonly T[], b: readonly T[], i: number, j: number, same: (a: T, b: T) => boolean) =>
  same(a[i] as T, b[j] as T);

function middle<T>(a: readonly T[], b: readonly T[], same: (a: T, b: T) => boolean): Step<T>[] {
  const replaced = (): Step<T>[] => [
    ...a.map(value => ({ sign: "-" as const, value })),
    ...b.map(value => ({ sign: "+" as const, value })),
  ];
  if (a.length === 0 || b.length === 0) return replaced();
  // `reach.get(k)` is how far in `a` one has come on the diagonal `k`, with the differences so far.
  const reach = new Map([[1, 0]]);
  const trail: Map<number, number>[] = [];
  for (let steps = 0; steps <= Math.min(a.length + b.length, MOST_STEPS); steps += 1) {
    trail.push(new Map(reach));
    for (let k = -steps; k <= steps; k += 2) {
      let x = goesDown(reach, k, steps) ? at(reach, k + 1) : at(reach, k - 1) + 1;
      while (x < a.length && x - k < b.length && isSame(a, b, x, x - k, same)) x += 1;
      reach.set(k, x);
      if (x >= a.length && x - k >= b.length) return walkBack(a, b, trail);
    }
  }
  return replaced();
}

const at = (reach: Map<number, number>, k: number): number => reach.get(k) ?? -1;
const goesDown = (reach: Map<number, number>, k: number, steps: number): boolean =>
  k === -steps || (k !== steps && at(reach, k - 1) < at(reach, k + 1));

function walkBack<T>(a: readonly T[], b: readonly T[], trail: Map<number, number>[]): Step<T>[] {
  const found: Step<T>[] = [];
  let x = a.length;
  let y = b.length;
  for (let steps = trail.length - 1; steps >= 0; steps -= 1) {
    const reach = trail[steps] as Map<number, number>;
    const k = x - y;
    const before = goesDown(reach, k, steps) ? k + 1 : k - 1;
    const toX = at(reach, before);
    const toY = toX - before;
    for (; x > toX && y > toY && x > 0 && y > 0; x -= 1, y -= 1)
      found.push({ sign: "=", value: b[y - 1] as T });
    if (steps === 0) break;
    found.push(x === toX ? { sign: "+", value: b[toY] as T } : { sign: "-", value: a[toX] as T });
    x = toX;
    y = toY;
  }
  return found.reverse();
}

export interface Cell {
  id: string | null;
  kind: string;
  source: string;
}

export type CellChange =
  | { what: "same"; cell: Cell }
  | { what: "added" | "removed"; cell: Cell }
  | { what: "changed"; cell: Cell; lines: Step<string>[] };

const linesOf = (source: string): string[] => (source === "" ? [] : source.split("\n"));

/** Cells are the same by their source; one that is gone and one that is new are one that changed, when they have the same id or place. */
export function diffCells(before: readonly Cell[], after: readonly Cell[]): CellChange[] {
  const steps = diff(before, after, (a, b) => a.kind === b.kind && a.source === b.source);
  const changes: CellChange[] = [];
  let index = 0;
  while (index < steps.length) {
    const step = steps[index] as Step<Cell>;
    if (step.sign === "=") {
      changes.push({ what: "same", cell: step.value });
      index += 1;
      continue;
    }
    const run: Step<Cell>[] = [];
    for (; steps[index] && steps[index]?.sign !== "="; index += 1) run.push(steps[index] as Step<Cell>);
    changes.push(...pair(run));
  }
  return changes;
}

/** Pairs what went with what came, in a stretch without anything that stayed. */
function pair(run: readonly Step<Cell>[]): CellChange[] {
  const gone = run.filter(step => step.sign === "-").map(step => step.value);
  const came = run.filter(step => step.sign === "+").map(step => step.value);
  const isPaired = new Set<Cell>();
  const changes: CellChange[] = came.map(cell => {
    const byId = cell.id === null ? undefined : gone.find(each => each.id === cell.id);
    const old = byId ?? (gone.length === came.length ? gone[came.indexOf(cell)] : undefined);
    if (!old || old.kind !== cell.kind || isPaired.has(old)) return { what: "added", cell };
    isPaired.add(old);
    return { what: "changed", cell, lines: diff(linesOf(old.source), linesOf(cell.source)) };
  });
  const removed = gone.filter(cell => !isPaired.has(cell));
  return [...removed.map(cell => ({ what: "removed" as const, cell })), ...changes];
}
