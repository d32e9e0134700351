// @vitest-environment happy-dom
import { useState } from "react";
import { expect, test } from "vitest";
import { eventually, show } from "~/testing";
import { type Form, toJob, WhatToRun } from "./JobForm";

const EMPTY: Form = {
  what: "notebook",
  notebook: "train.ipynb",
  hold_ms: 0,
  command: "python train.py",
  name: "",
  workspace: "w-1",
  environment: "",
  machine: "",
  rows: [],
  inputs: [],
};

let form = EMPTY;
function Filled() {
  const [value, setValue] = useState(EMPTY);
  form = value;
  return <WhatToRun form={value} change={part => setValue({ ...value, ...part })} />;
}

const field = (page: HTMLElement) =>
  [...page.querySelectorAll("label")].find(each => each.textContent === "Hold on error")?.control as
    | HTMLSelectElement
    | undefined;

test("a notebook is not held unless one says so", async () => {
  const page = show(<Filled />);
  await eventually(() => expect(field(page)?.value).toBe("0"));
  expect(toJob(form, "k")).not.toHaveProperty("hold_ms");
});

test("how long is sent as the service has it, and what that costs is said", async () => {
  const page = show(<Filled />);
  await eventually(() => expect(field(page)).toBeDefined());
  const select = field(page) as HTMLSelectElement;
  expect([...select.options].map(each => each.text)).toEqual([
    "off",
    "15 minutes",
    "1 hour",
    "4 hours",
    "12 hours",
    "1 day",
    "7 days",
  ]);
  select.value = String(4 * 3_600_000);
  select.dispatchEvent(new Event("change", { bubbles: true }));
  await eventually(() => expect(page.textContent).toContain("it is paid for"));
  expect(toJob(form, "k")).toMatchObject({ notebook: "train.ipynb", hold_ms: 14_400_000 });
});

test("a command cannot be held, whatever was chosen for a notebook", () => {
  const job = toJob({ ...EMPTY, what: "command", hold_ms: 900_000 }, "k");
  expect(job.command).toEqual(["python", "train.py"]);
  expect(job).not.toHaveProperty("hold_ms");
});
