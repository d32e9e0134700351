import { expect, test } from "vitest";
import { freeName, inProject, jobNotebook, original, workspaceOf } from "./paths";

test("only what is in the project folder has a path in it", () => {
  expect(inProject("work/analysis/train.ipynb")).toBe("analysis/train.ipynb");
  expect(inProject("RTC:work/train.ipynb")).toBe("train.ipynb");
  expect(inProject("/work/train.ipynb")).toBe("train.ipynb");
  expect(["train.ipynb", "worker/train.ipynb", "work", "work/"].map(inProject)).toEqual([
    null,
    null,
    null,
    null,
  ]);
});

test("the notebook of selected cells is that of the workspace", () => {
  expect(original("a/train.cells.ipynb")).toBe("a/train.ipynb");
  expect(original("a/train.ipynb")).toBe("a/train.ipynb");
});

test("a job's notebook has a place by its number, and never takes one that is taken", () => {
  const path = jobNotebook(12, "analysis/train.ipynb");
  expect(path).toBe("work/jobs/12/train.ipynb");
  expect(freeName(path, new Set())).toBe(path);
  expect(freeName(path, new Set([path, "work/jobs/12/train-2.ipynb"]))).toBe("work/jobs/12/train-3.ipynb");
  expect(freeName("a.b/plain", new Set(["a.b/plain"]))).toBe("a.b/plain-2");
});

test("the workspace is in its server's address", () => {
  expect(workspaceOf("/w/01a/")).toBe("01a");
  expect(workspaceOf("/")).toBeNull();
});
