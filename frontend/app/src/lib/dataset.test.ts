import { datasetFixtures } from "@cairn/mock/datasets";
import { expect, test } from "vitest";
import { versionChoices } from "~/components/InputPicker";
import { aliasesOf, filterDatasets, toTags } from "./dataset";
import { count, isHow, rows } from "./diff";
import { parseReference, referencePath, versionReference } from "./reference";

test("references are read as the server reads them", () => {
  expect(parseReference("#12/model/a:b", "p")).toEqual({ kind: "job", project: "p", number: 12 });
  expect(parseReference("vision#3", "p")).toEqual({ kind: "job", project: "vision", number: 3 });
  const version = { kind: "version", project: "p", dataset: "digits", which: "3" };
  expect(parseReference("digits:3", "p")).toEqual(version);
  expect(parseReference("digits:3/train#1", "p")).toEqual(version);
  expect(parseReference("dataset://digits/3", "p")).toEqual(version);
  expect(parseReference("vision/leaves:prod", "p")).toMatchObject({ project: "vision", which: "prod" });
  expect(parseReference("dataset://vision/leaves/latest/", "p")).toMatchObject({ project: "vision" });
  for (const none of [
    "",
    "digits",
    "digits:",
    ":3",
    "#0",
    "#x",
    "javascript:alert(1)",
    "Digits:3",
    "s3://a/b",
  ])
    expect(parseReference(none, "p"), none).toBeNull();
});

test("a reference leads to its place, and leaves its own project unsaid", () => {
  expect(referencePath({ kind: "job", project: "p", number: 3 })).toBe("/p/p/jobs/3/outputs");
  expect(referencePath({ kind: "version", project: "p", dataset: "d", which: "prod" })).toBe(
    "/p/p/data/d/prod",
  );
  const dataset = { project: "p", name: "d" };
  expect(versionReference(dataset, 3, "p")).toBe("d:3");
  expect(versionReference(dataset, 3, "q")).toBe("p/d:3");
});

test("datasets are found by what is said of them", () => {
  const names = (words: string) => filterDatasets(datasetFixtures, words).map(each => each.name);
  expect(names("")).toHaveLength(datasetFixtures.length);
  expect(names("images pixels")).toEqual(["digits"]);
  expect(names("PROD")).toEqual(["digits"]);
  expect(names("grace")).toEqual(["leaves"]);
  expect(names("nowhere")).toEqual([]);
});

test("tags are typed with commas", () => {
  expect(toTags(" images, two words,images,, ")).toEqual(["images", "two words"]);
});

test("inputs are offered by their newest version and by alias", () => {
  const choices = versionChoices(datasetFixtures);
  expect(choices.map(each => each.ref)).toEqual(["digits:3", "digits:prod", "digits:candidate", "leaves:1"]);
  expect(choices[1]).toMatchObject({ name: "digits", about: "names version 1 now" });
  const [digits] = datasetFixtures;
  expect(digits && aliasesOf(digits, 3)).toEqual(["candidate"]);
});

test("changes are counted and filtered", () => {
  const changes = [
    { path: "train/a.csv", change: "added" as const },
    { path: "train/b.csv", change: "removed" as const },
    { path: "README.md", change: "modified" as const },
  ];
  expect(count(changes)).toEqual({ added: 1, removed: 1, modified: 1 });
  expect(rows(changes, null, "TRAIN csv")).toHaveLength(2);
  expect(rows(changes, "removed", "train").map(each => each.path)).toEqual(["train/b.csv"]);
  expect(isHow("added")).toBe(true);
  expect(isHow("toString") || isHow(null)).toBe(false);
});
