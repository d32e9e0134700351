import { expect, test } from "vitest";
import { EMPTY } from "./DatasetForm";
import { changes } from "./EditDataset";

test("only what this person changed is sent", () => {
  const opened = { ...EMPTY, name: "digits", description: "Old", tags: "images" };
  expect(changes(opened, opened)).toEqual({});
  expect(changes(opened, { ...opened, tags: "images, small" })).toEqual({ tags: ["images", "small"] });
  expect(changes(opened, { ...opened, visibility: "organisation" })).toEqual({ visibility: "organisation" });
});
