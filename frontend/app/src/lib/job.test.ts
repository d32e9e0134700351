import { held } from "@cairn/mock/jobs";
import { expect, test } from "vitest";
import { isRunning, jobLook, shownState } from "./job";

test("a job that waits at a cell that failed is shown as held, calmly, and counts as running", () => {
  expect(shownState(held)).toBe("held");
  expect(jobLook("held").turning).toBeUndefined();
  expect(isRunning(held.state)).toBe(true);
});

test("one that goes on, is being stopped or is over is shown as it is", () => {
  expect(shownState({ ...held, hold: null })).toBe("started");
  expect(shownState({ ...held, state: "stopping" })).toBe("stopping");
  expect(shownState({ state: "complete", hold: null })).toBe("complete");
});
