import { expect, test } from "vitest";
import { ofDrop } from "./pick";
import { pathProblem, plan } from "./plan";
import { picked } from "./testing";

test("a folder is the top of a version, several keep their names", () => {
  const paths = (...all: string[]) => plan(all.map(path => picked(path))).files.map(each => each.path);
  expect(paths("digits/b.csv", "digits/a/x.csv")).toEqual(["a/x.csv", "b.csv"]);
  expect(paths("train/a", "test/a")).toEqual(["test/a", "train/a"]);
  expect(paths("digits/a", "README.md")).toEqual(["README.md", "digits/a"]);
  expect(paths("a.csv")).toEqual(["a.csv"]);
});

test("what no version can hold is left out and named", () => {
  const { files, leftOut } = plan([picked("top/ok"), picked(`top/${"n".repeat(300)}`), picked("top/a/../b")]);
  expect(files.map(each => each.path)).toEqual(["ok"]);
  expect(leftOut.map(each => each.why)).toEqual([
    "its name is too long",
    "part of its path has no name of its own",
  ]);
  expect(pathProblem("<img src=x onerror=alert(1)>.txt")).toBeNull();
});

test("of files that cannot be together one is left out and named", () => {
  const { files, leftOut } = plan([
    picked("a.csv", "first"),
    picked("a.csv", "second"),
    picked("b", "a file"),
    picked("b/c/d"),
    picked("b/c"),
    picked("caf\uFFFD.csv"),
    picked([...Array(64).fill("d"), "f"].join("/")),
    picked([...Array(63).fill("d"), "f"].join("/")),
  ]);
  expect(files.map(each => each.path.slice(0, 5))).toEqual(["a.csv", "b/c/d", "d/d/d"]);
  expect(files[0]?.file.size).toBe("first".length);
  expect(leftOut.map(each => `${each.path.slice(0, 5)}: ${each.why}`)).toEqual([
    "a.csv: another picked file has this path",
    "caf\uFFFD.: its name is not Unicode",
    "d/d/d: it is deeper than 64 folders",
    "b/c: other picked files have it as their folder",
    "b: other picked files have it as their folder",
  ]);
});

/** What a browser gives of a dropped folder: a reader tells its entries in portions. */
function dropped(name: string, content: Record<string, string>): FileSystemEntry {
  const children = Object.entries(content).map(([child, text]) => ({
    name: child,
    isFile: true,
    isDirectory: false,
    file: (take: (file: File) => void) => take(new File([text], child)),
  }));
  const createReader = () => {
    const portions = [children.slice(0, 1), children.slice(1), []];
    return { readEntries: (take: (some: unknown[]) => void) => take(portions.shift() ?? []) };
  };
  return { name, isFile: false, isDirectory: true, createReader } as unknown as FileSystemEntry;
}

test("a dropped folder is read to its end", async () => {
  const items = [dropped("digits", { a: "1", b: "2", c: "3" })];
  const transfer = { items: items.map(entry => ({ webkitGetAsEntry: () => entry })), files: [] };
  const found = await ofDrop(transfer as unknown as DataTransfer);
  expect(found.map(each => each.path)).toEqual(["digits/a", "digits/b", "digits/c"]);
  expect(plan(found).files.map(each => each.path)).toEqual(["a", "b", "c"]);
});
