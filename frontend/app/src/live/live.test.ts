import { projects } from "@cairn/mock/fixtures";
import { jobs } from "@cairn/mock/jobs";
import { QueryClient } from "@tanstack/react-query";
import { expect, test } from "vitest";
import { faviconSvg } from "~/components/favicon";
import { best, score } from "~/components/match";
import { versionTree } from "~/files/tree";
import { forgetDataset } from "~/queries/datasets";
import { mergeJobs } from "~/queries/jobs";
import { applyChanges } from "./invalidate";

const [first, second] = jobs;
if (!first || !second) throw new Error("the fixtures have jobs");

test("newer jobs replace older ones and new ones come first", () => {
  const merged = mergeJobs([second], [{ ...second, name: "fresh" }, first]);
  expect(merged.map(job => [job.number, job.name])).toEqual([
    [first.number, first.name],
    [second.number, "fresh"],
  ]);
});

test("an event makes old what it touches and nothing else", () => {
  const client = new QueryClient();
  client.setQueryData(["projects"], { items: projects });
  client.setQueryData(["workspace", "w-1"], { id: "w-1" });
  client.setQueryData(["workspace", "w-2"], { id: "w-2" });
  client.setQueryData(["job", "examples", first.number], first);
  client.setQueryData(["series", "examples", first.number, "loss", 100], {});
  client.setQueryData(["series", "examples", second.number, "loss", 100], {});
  const isOld = (key: unknown[]) => client.getQueryState(key)?.isInvalidated;

  applyChanges(
    [
      { number: 1, kind: "workspace.changed", project_id: "p-1", subject: "w-1" },
      { number: 2, kind: "job.metadata", project_id: "p-1", subject: first.id },
    ],
    client,
  );
  expect(isOld(["workspace", "w-1"])).toBe(true);
  expect(isOld(["workspace", "w-2"])).toBe(false);
  expect(isOld(["job", "examples", first.number])).toBe(true);
  expect(isOld(["series", "examples", first.number, "loss", 100])).toBe(true);
  expect(isOld(["series", "examples", second.number, "loss", 100])).toBe(false);
  expect(isOld(["projects"])).toBe(false);
});

test.each(["workspace.changed", "job.changed", "dataset.changed"])("%s makes lineages old", kind => {
  const client = new QueryClient();
  client.setQueryData(["lineage", "examples", "digits:3", 2], {});
  applyChanges([{ number: 1, kind, project_id: "p-1", subject: "x-1" }], client);
  expect(client.getQueryState(["lineage", "examples", "digits:3", 2])?.isInvalidated).toBe(true);
});

test("a changed dataset makes its lists old, and what its versions hold not", () => {
  const client = new QueryClient();
  client.setQueryData(["datasets", "examples"], { items: [] });
  client.setQueryData(["dataset", "examples", "digits"], { id: "d-1" });
  client.setQueryData(["dataset", "examples", "leaves"], { id: "d-2" });
  for (const name of ["digits", "leaves"]) client.setQueryData(["dataset-versions", "examples", name], {});
  client.setQueryData(["dataset-version", "examples", "digits", "prod"], {});
  client.setQueryData(["files", "examples", "dataset", "digits", 3, ""], {});
  const isOld = (...key: unknown[]) => client.getQueryState(key)?.isInvalidated;

  applyChanges([{ number: 1, kind: "dataset.changed", project_id: "p-1", subject: "d-1" }], client);
  expect(isOld("datasets", "examples")).toBe(true);
  expect(isOld("dataset", "examples", "digits")).toBe(true);
  expect(isOld("dataset", "examples", "leaves")).toBe(false);
  expect(isOld("dataset-versions", "examples", "digits")).toBe(true);
  expect(isOld("dataset-versions", "examples", "leaves")).toBe(false);
  expect(isOld("dataset-version", "examples", "digits", "prod")).toBe(true);
  expect(isOld("files", "examples", "dataset", "digits", 3, "")).toBe(false);
});

test("what is known of a dataset that was deleted is forgotten, and of others not", () => {
  const client = new QueryClient();
  const keys = (name: string) => [
    ["dataset", "examples", name],
    ["dataset-versions", "examples", name],
    ["dataset-version", "examples", name, "1"],
    ["files", "examples", "dataset", name, 1, "m", ""],
  ];
  for (const key of [...keys("digits"), ...keys("digits-2")]) client.setQueryData(key, {});
  forgetDataset(client, "examples", "digits");
  const known = client.getQueryCache().getAll();
  expect(known.map(query => query.queryKey)).toEqual(keys("digits-2"));
});

test("a dataset of the same name shows its own files", () => {
  const of = { project: "examples", dataset: "digits", number: 1 };
  expect(versionTree({ ...of, digest: "a" }).key).not.toEqual(versionTree({ ...of, digest: "b" }).key);
});

test("a few letters find what was meant", () => {
  expect(score("dgts", "digits")).toBeGreaterThan(0);
  expect(score("xyz", "digits")).toBe(0);
  expect(best("job", ["new job", "jobs", "start"], item => item, 5)[0]).toBe("jobs");
});

test("the favicon counts running jobs", () => {
  expect(faviconSvg(0)).not.toContain("<text");
  expect(faviconSvg(3)).toContain(">3</text>");
  expect(faviconSvg(12)).toContain(">9+</text>");
});
