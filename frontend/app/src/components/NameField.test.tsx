// @vitest-environment happy-dom
import { expect, test } from "vitest";
import { eventually, show } from "~/testing";
import { NameField } from "./NameField";

test("a name follows the rule, and that is said where nothing else is", async () => {
  const page = show(
    <>
      <NameField />
      <NameField label="Alias" hint="It moves." />
    </>,
  );
  await eventually(() => expect(page.querySelectorAll("input")).toHaveLength(2));
  const input = page.querySelector("input") as HTMLInputElement;
  expect(input.required).toBe(true);
  const rule = new RegExp(`^(?:${input.pattern})$`, "v");
  for (const good of ["digits", "a", "0.1_b-c"]) expect(rule.test(good), good).toBe(true);
  for (const bad of ["", "Digits", "-a", ".a", "a b", "a/b", "a".repeat(64)])
    expect(rule.test(bad), bad).toBe(false);
  const said = [...page.querySelectorAll("label, p")].map(each => each.textContent);
  expect(said).toEqual(["Name", `${input.title}.`, "Alias", "It moves."]);
});
