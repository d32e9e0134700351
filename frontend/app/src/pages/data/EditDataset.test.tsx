// @vitest-environment happy-dom
import * as api from "@cairn/api/operations";
import type { Dataset } from "@cairn/api/types";
import { datasetFixtures } from "@cairn/mock/datasets";
import { expect, test, vi } from "vitest";
import { eventually, show } from "~/testing";
import { EditDataset } from "./EditDataset";

vi.mock("@cairn/api/operations", { spy: true });

const [digits] = datasetFixtures as [Dataset];

async function open(dataset: Dataset) {
  const onClose = vi.fn(() => undefined);
  const page = show(<EditDataset dataset={dataset} mayOpen={false} onClose={onClose} />);
  await eventually(() => expect(page.querySelector("form")).not.toBeNull());
  const [name, tags] = page.querySelectorAll("input");
  const description = page.querySelector("textarea");
  return { page, onClose, name, tags, description };
}

/** Types as React sees it. */
function type(input: HTMLInputElement | undefined, text: string): void {
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(input, text);
  input?.dispatchEvent(new Event("input", { bubbles: true }));
}

test("what was typed is there again, beside what others changed meanwhile, until it is saved", async () => {
  type((await open(digits)).tags, "images, small");
  const meanwhile = { ...digits, description: "Said by another" };
  const again = await open(meanwhile);
  expect(again.tags?.value).toBe("images, small");
  expect(again.description?.value).toBe("Said by another");
  vi.mocked(api.updateDataset).mockResolvedValue(meanwhile);
  again.page.querySelector("form")?.requestSubmit();
  await eventually(() => expect(again.onClose).toHaveBeenCalledOnce());
  const [, , sent] = vi.mocked(api.updateDataset).mock.lastCall ?? [];
  expect(sent).toEqual({ tags: ["images", "small"] });
  expect((await open(digits)).tags?.value).toBe(digits.tags.join(", "));
});

test("one goes back to what it was", async () => {
  const { page, tags } = await open(digits);
  type(tags, "other");
  await eventually(() => expect(tags?.value).toBe("other"));
  [...page.querySelectorAll("button")].find(each => each.textContent === "As it was")?.click();
  await eventually(() => expect(tags?.value).toBe(digits.tags.join(", ")));
  expect((await open(digits)).tags?.value).toBe(digits.tags.join(", "));
});
