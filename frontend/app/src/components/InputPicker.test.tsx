// @vitest-environment happy-dom
import { ApiError } from "@cairn/api/errors";
import * as api from "@cairn/api/operations";
import type { Dataset, Version } from "@cairn/api/types";
import { datasetFixtures } from "@cairn/mock/datasets";
import { beforeEach, expect, test, vi } from "vitest";
import { eventually, show } from "~/testing";
import { InputPicker } from "./InputPicker";

vi.mock("@cairn/api/operations", { spy: true });

const [digits] = datasetFixtures as [Dataset];
const list = <T,>(items: T[]) => ({ items, next: null });
const damaged = (integrity: Version["integrity"]): Dataset => ({
  ...digits,
  latest: { ...(digits.latest as Version), integrity },
});

beforeEach(() => {
  vi.mocked(api.listLatestJobs).mockResolvedValue(list([]));
  vi.mocked(api.listJobs).mockResolvedValue(list([]));
  vi.mocked(api.listDatasets).mockResolvedValue(list([digits]));
});

const open = () => show(<InputPicker project="examples" verb="Attach" onPick={() => undefined} />);
const choice = (page: HTMLElement, name: string) =>
  page.querySelector<HTMLInputElement>(`input[aria-label="${name}"]`);
const NOTHING = "No data and no job with outputs is called that.";

test("it says that it still asks, and that there is nothing only once it knows", async () => {
  let answer: (found: { items: Dataset[]; next: null }) => void = () => undefined;
  vi.mocked(api.listDatasets).mockReturnValue(new Promise(resolve => (answer = resolve)));
  const page = open();
  await eventually(() => expect(page.querySelector("[role=status]")?.textContent).toBe("Listing: Data"));
  expect(page.textContent).not.toContain(NOTHING);
  answer(list([]));
  await eventually(() => expect(page.textContent).toContain(NOTHING));
  expect(page.querySelector("[role=status]")).toBeNull();
});

test("what could not be listed is said with a way to try again, and the rest can be picked", async () => {
  vi.mocked(api.listJobs).mockRejectedValueOnce(new ApiError(500, "internal", "It broke.", "r-7"));
  const page = open();
  await eventually(() => expect(page.querySelector("[role=alert]")?.textContent).toContain("r-7"));
  expect(page.querySelector("[role=alert]")?.closest("fieldset")?.textContent).toContain("Outputs of jobs");
  expect(choice(page, "digits:3")?.disabled).toBe(false);
  expect(page.textContent).not.toContain(NOTHING);
  const again = [...page.querySelectorAll("button")].find(each => each.textContent === "Try again");
  again?.click();
  await eventually(() => expect(page.querySelector("[role=alert]")).toBeNull());
});

const aboutOf = (page: HTMLElement, name: string) =>
  document.getElementById(choice(page, name)?.getAttribute("aria-describedby") ?? "")?.textContent;

test("a version whose list of files is damaged cannot be picked, nor by an alias of it", async () => {
  vi.mocked(api.listDatasets).mockResolvedValue(list([damaged("broken")]));
  const page = open();
  await eventually(() => expect(choice(page, "digits:3")?.disabled).toBe(true));
  expect(choice(page, "digits:candidate")?.disabled).toBe(true);
  expect(choice(page, "digits:prod")?.disabled).toBe(false);
  expect(aboutOf(page, "digits:3")).toContain("Its list of files is missing");
});

test("a version with damaged files is taken only by who agrees that these are left out", async () => {
  vi.mocked(api.listDatasets).mockResolvedValue(list([damaged("partial")]));
  const onPick = vi.fn();
  const page = show(<InputPicker project="examples" verb="Attach" onPick={onPick} />);
  await eventually(() => expect(choice(page, "digits:3")?.disabled).toBe(false));
  expect(aboutOf(page, "digits:3")).toContain("Files of it are missing");
  choice(page, "digits:3")?.click();
  const button = () => [...page.querySelectorAll("button")].find(each => each.textContent === "Attach");
  await eventually(() => expect(button()?.disabled).toBe(true));
  page.querySelector<HTMLInputElement>("input[type=checkbox]")?.click();
  await eventually(() => expect(button()?.disabled).toBe(false));
  button()?.click();
  expect(onPick).toHaveBeenCalledWith({ name: "digits", ref: "digits:3", allow_damaged: true });
});

test("an alias of an older version, of which the page knows nothing, can be taken without what is damaged", async () => {
  const onPick = vi.fn();
  const page = show(<InputPicker project="examples" verb="Attach" onPick={onPick} />);
  await eventually(() => expect(choice(page, "digits:prod")).not.toBeNull());
  choice(page, "digits:prod")?.click();
  const button = () => [...page.querySelectorAll("button")].find(each => each.textContent === "Attach");
  await eventually(() => expect(button()?.disabled).toBe(false));
  page.querySelector<HTMLInputElement>("input[type=checkbox]")?.click();
  await eventually(() => expect(page.querySelector("input[type=checkbox]:checked")).not.toBeNull());
  button()?.click();
  expect(onPick).toHaveBeenCalledWith({ name: "digits", ref: "digits:prod", allow_damaged: true });
});

test("a choice tells where it will be, and Enter in the picker does not send the form around it", async () => {
  const page = open();
  await eventually(() => expect(choice(page, "digits:3")).not.toBeNull());
  choice(page, "digits:3")?.click();
  await eventually(() => expect(page.textContent).toContain("/cairn/inputs/digits"));
  const inputs = [...page.querySelectorAll("input")];
  expect(new Set(inputs.map(input => input.type))).toEqual(new Set(["text", "radio"]));
  for (const input of inputs) {
    const enter = new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true });
    input.dispatchEvent(enter);
    expect(enter.defaultPrevented, input.type).toBe(true);
  }
});
