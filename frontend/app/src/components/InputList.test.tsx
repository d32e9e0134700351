// @vitest-environment happy-dom
import type { Input } from "@cairn/api/types";
import { expect, test } from "vitest";
import { eventually, show } from "~/testing";
import { InputList } from "./InputList";

const input = (left_out: Input["left_out"]): Input => ({
  name: "digits",
  ref: "digits:3",
  manifest_digest: "b3a1",
  files: 4,
  bytes: 10,
  left_out,
});

const MANY = { files: 102, bytes: 2048, paths: ["a.png", "b.png"] };
const NONE = { files: 0, bytes: 0, paths: [] };

test.each([
  [MANY, ["102 damaged files left out", "a.png, b.png and 100 more"]],
  [NONE, ["before a check had found it whole again"]],
])("what was left out of an input because it was damaged is told: %o", async (left_out, words) => {
  const page = show(<InputList project="examples" inputs={[input(left_out)]} />);
  await eventually(() => {
    for (const word of words) expect(page.textContent).toContain(word);
  });
});

test("nothing is said of what was whole", async () => {
  const page = show(<InputList project="examples" inputs={[input(null)]} />);
  await eventually(() => expect(page.textContent).toContain("digits:3"));
  expect(page.querySelector("details")).toBeNull();
});
