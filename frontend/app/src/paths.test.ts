import { expect, test } from "vitest";
import { samePlace } from "./components/ProjectSwitcher";
import { trail } from "./components/trail";
import { contentUrl, paths, safeNext, versionContentUrl } from "./paths";

test("names cannot leave their place in an address", () => {
  expect(paths.workspaces("a/../b")).toBe("/p/a%2F..%2Fb/workspaces");
  expect(contentUrl({ project: "p", number: 3 }, "outputs", "a b/ü&x.csv", true)).toBe(
    "/api/v1/projects/p/jobs/3/outputs/content?path=a+b%2F%C3%BC%26x.csv&download=1",
  );
  expect(paths.dataset("p", "a/b", "prod?x")).toBe("/p/p/data/a%2Fb/prod%3Fx");
  expect(versionContentUrl({ project: "p", dataset: "d", number: 3 }, "a#b.csv")).toBe(
    "/api/v1/projects/p/datasets/d/versions/3/files/content?path=a%23b.csv",
  );
});

test("only paths of the app are followed after signing in", () => {
  expect(safeNext("/p/x/jobs?filter=a")).toBe("/p/x/jobs?filter=a");
  for (const evil of ["//evil", "https://evil", "/\\evil", "javascript:alert(1)", "", null])
    expect(safeNext(evil)).toBe("/");
});

test("the path shown at the top follows the address", () => {
  expect(trail("/p/vision/jobs/12/log").map(part => part.label)).toEqual(["vision", "Jobs", "#12", "Log"]);
  expect(trail("/p/vision/workspaces/w1", "lab").at(-1)).toEqual({ label: "lab" });
  expect(trail("/p/vision/data/digits/3").map(part => part.label)).toEqual(["vision", "Data", "digits", "3"]);
  expect(trail("/p/vision/data/digits/3").at(-2)?.to).toBe("/p/vision/data/digits");
  expect(trail("/").map(part => part.label)).toEqual(["Start"]);
});

test("switching the project stays in the same kind of place", () => {
  expect(samePlace("/p/a/jobs/12", "b")).toBe("/p/b/jobs");
  expect(samePlace("/p/a/data/digits/3", "b")).toBe("/p/b/data");
  expect(samePlace("/", "b")).toBe("/p/b/workspaces");
});
