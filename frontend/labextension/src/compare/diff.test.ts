import { expect, test } from "vitest";
import { type Cell, diff, diffCells } from "./diff";

const show = (before: string, after: string) =>
  diff([...before], [...after])
    .map(({ sign, value }) => sign + value)
    .join(" ");

test("the shortest way between two texts", () => {
  expect(show("abc", "abc")).toBe("=a =b =c");
  expect(show("", "ab")).toBe("+a +b");
  expect(show("ab", "")).toBe("-a -b");
  expect(show("abcd", "acxd")).toBe("=a -b =c +x =d");
  expect(show("abcabba", "cbabac").replaceAll(/=. ?/g, "").trim().split(" ")).toHaveLength(5);
});

test("both sides can be had back from any diff", () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 16_807) % 2_147_483_647;
    return seed % below;
  };
  const text = () => Array.from({ length: random(12) }, () => "abc"[random(3)] as string);
  for (let round = 0; round < 500; round += 1) {
    const [before, after] = [text(), text()];
    const steps = diff(before, after);
    expect(steps.filter(step => step.sign !== "+").map(step => step.value)).toEqual(before);
    expect(steps.filter(step => step.sign !== "-").map(step => step.value)).toEqual(after);
  }
});

test("what differs wholly does not take for ever", () => {
  const list = (word: string) => Array.from({ length: 5000 }, (_, index) => `${word}${index}`);
  const began = performance.now();
  expect(diff(list("a"), list("b"))).toHaveLength(10_000);
  expect(performance.now() - began).toBeLessThan(5000);
});

const cell = (source: string, id: string | null = null, kind = "code"): Cell => ({ id, kind, source });

test("cells that changed show their lines; others are the same, new or gone", () => {
  const before = [cell("import x", "1"), cell("a = 1\nb = 2", "2"), cell("old", "3"), cell("end", "5")];
  const after = [cell("import x", "1"), cell("a = 1\nb = 3", "2"), cell("end", "5"), cell("more", "6")];
  const changes = diffCells(before, after);
  expect(changes.map(change => [change.what, change.cell.id])).toEqual([
    ["same", "1"],
    ["removed", "3"],
    ["changed", "2"],
    ["same", "5"],
    ["added", "6"],
  ]);
  expect(changes[2]).toMatchObject({
    lines: [
      { sign: "=", value: "a = 1" },
      { sign: "-", value: "b = 2" },
      { sign: "+", value: "b = 3" },
    ],
  });
});

test("without ids the place tells, where as many went as came", () => {
  const changes = diffCells([cell("a"), cell("x = 1")], [cell("a"), cell("x = 2")]);
  expect(changes.map(change => change.what)).toEqual(["same", "changed"]);
  expect(
    diffCells([cell("x", null, "code")], [cell("y", null, "markdown")]).map(change => change.what),
  ).toEqual(["removed", "added"]);
});
