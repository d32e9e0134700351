import type { Job } from "@cairn/api/types";
import { expect, test } from "vitest";
import { inputName, latest, merge, reference } from "./list";

const job = (number: number, state: Job["state"] = "started", name = "") => ({ number, state, name }) as Job;

test("newer versions replace older ones, and the newest comes first", () => {
  const merged = merge([job(2), job(1)], [job(3), job(1, "complete", "fresh")]);
  expect(merged.map(each => [each.number, each.name])).toEqual([
    [3, ""],
    [2, ""],
    [1, "fresh"],
  ]);
});

test("measures come before words and counters", () => {
  const metadata = { epoch: 3, note: "warm", loss: 0.1, nested: { a: 1 }, accuracy: 0.9 };
  expect(latest(metadata, 3).map(([key]) => key)).toEqual(["loss", "accuracy", "note"]);
});

test("a folder is called after the path, else after the job", () => {
  expect(inputName("#12")).toBe("job-12");
  expect(inputName("vision#3/models/best net")).toBe("best-net");
  expect(inputName("#3/..")).toBe("job-3");
});

test("a reference is read as one writes it", () => {
  expect([" 12 ", "#12", "#12/model", "vision#12"].map(reference)).toEqual([
    "#12",
    "#12",
    "#12/model",
    "vision#12",
  ]);
  expect(["", "model", "#", "#1 2"].map(reference)).toEqual([null, null, null, null]);
});
