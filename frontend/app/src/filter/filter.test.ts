import type { Job } from "@cairn/api/types";
import { held, jobs } from "@cairn/mock/jobs";
import { expect, test } from "vitest";
import { complete, fieldOf, keysOf, matches, parseFilter, sortJobs, suggest, tokens } from "./filter";

const [base] = jobs;
if (!base) throw new Error("the fixtures have jobs");
const job: Job = {
  ...base,
  number: 7,
  name: "Digits run",
  state: "error",
  user: "ada",
  parameters: { lr: 0.05, optimizer: "adam", augment: true },
  metadata: { loss: 0.2, "val/acc": 0.91 },
};
const holds = (text: string) => matches(job, parseFilter(text));

test("words are looked for everywhere", () => {
  expect(holds("digits")).toBe(true);
  expect(holds("DIGITS ada #7")).toBe(true);
  expect(holds("digits grace")).toBe(false);
  expect(holds("")).toBe(true);
});

test("conditions compare text, numbers and flags", () => {
  expect(holds("state:error user:ada")).toBe(true);
  expect(holds("-state:complete")).toBe(true);
  expect(holds("-state:error")).toBe(false);
  expect(holds("param.lr<0.1 metadata.loss>=0.2")).toBe(true);
  expect(holds("lr>0.1")).toBe(false);
  expect(holds("optimizer=ADAM")).toBe(true);
  expect(holds("param.augment=true")).toBe(true);
  expect(holds("metadata.val/acc>0.9")).toBe(true);
});

test("a value that is not there matches only 'is not'", () => {
  expect(holds("metadata.none>0")).toBe(false);
  expect(holds("metadata.none!=1")).toBe(true);
});

test("quotes keep words together", () => {
  expect(tokens('name:"Digits run" x')).toEqual(["name:Digits run", "x"]);
  expect(holds('name:"digits run"')).toBe(true);
});

test("a condition that is still being typed hides nothing", () => {
  expect(holds("state:")).toBe(true);
  expect(holds("metadata.loss>")).toBe(true);
});

test("jobs without the value come last in both directions", () => {
  const list: Job[] = [
    { ...job, number: 3, metadata: {} },
    { ...job, number: 2, metadata: { loss: 0.5 } },
    { ...job, number: 1, metadata: { loss: 0.1 } },
  ];
  expect(sortJobs(list, "metadata.loss", false).map(each => each.number)).toEqual([1, 2, 3]);
  expect(sortJobs(list, "metadata.loss", true).map(each => each.number)).toEqual([2, 1, 3]);
  expect(sortJobs(list, "number", true)).toBe(list);
});

test("columns come from every job's keys", () => {
  expect(keysOf([job])).toEqual([
    "metadata.loss",
    "metadata.val/acc",
    "param.augment",
    "param.lr",
    "param.optimizer",
  ]);
  expect(fieldOf(job, "param.lr")).toBe(0.05);
});

test("completion offers keys, then states and people, for the last word only", () => {
  expect(suggest("sta", [], [])).toContain("state:");
  expect(suggest("x state:st", [], [])).toEqual(["state:started", "state:stopping", "state:stopped"]);
  expect(suggest("-user:g", [], ["ada", "grace"])).toEqual(["-user:grace"]);
  expect(suggest("metadata.l", ["metadata.loss"], [])).toEqual(["metadata.loss>"]);
  expect(complete("x state:st", "state:started")).toBe("x state:started");
});

test("a held job is found as what it is shown as", () => {
  const found = (text: string) => matches(held, parseFilter(text));
  expect(found("state:held")).toBe(true);
  expect(found("held")).toBe(true);
  expect(found("state:started")).toBe(false);
  expect(suggest("state:he", [], [])).toEqual(["state:held"]);
});
