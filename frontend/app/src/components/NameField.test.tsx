// @vitest-environment happy-dom
import { expect, test } from "vitest";
import { NAME_PATTERN } from "~/lib/dataset";
import { eventually, show } from "~/testing";
import { NameField } from "./NameField";

test("a name follows the rule and says it, where nothing else is said", async () => {
  const page = show(
    <>
      <NameField />
      <NameField label="Alias" hint="Moves." />
    </>,
  );
  await eventually(() => expect(page.querySelectorAll("input")).toHaveLength(2));
  const [name, alias] = page.querySelectorAll("input");
  for (const input of [name, alias])
    expect([input?.required, input?.pattern, input?.getAttribute("autocapitalize")]).toEqual([
      true,
      NAME_PATTERN,
      "none",
    ]);
  expect(page.querySelector("label")?.textContent).toBe("Name");
  const hints = [...page.querySelectorAll("p")].map(each => each.textContent);
  expect(hints).toEqual([`${name?.title}.`, "Moves."]);
});
