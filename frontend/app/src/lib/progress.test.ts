import type { Phase } from "@cairn/api/types";
import { expect, test } from "vitest";
import { leftText, outlook } from "./progress";

const phase = (part: Partial<Phase>): Phase => ({
  phase: "moving",
  label: "Moving the home",
  started_ms: null,
  ended_ms: null,
  estimate_ms: null,
  ...part,
});

test("what is left is the history's, less what has passed", () => {
  const phases = [
    phase({ started_ms: 0, ended_ms: 4000, estimate_ms: 9000 }),
    phase({ started_ms: 4000, estimate_ms: 10_000 }),
    phase({ estimate_ms: 6000 }),
  ];
  const { steps, left_ms, share, elapsed_ms } = outlook({ started_ms: 0, phases }, 8000);
  expect(steps.map(each => [each.state, each.elapsed_ms])).toEqual([
    ["done", 4000],
    ["now", 4000],
    ["next", null],
  ]);
  expect(left_ms).toBe(12_000);
  expect(elapsed_ms).toBe(8000);
  expect(share).toBeCloseTo(0.4);
});

test("without history nobody guesses", () => {
  const phases = [phase({ started_ms: 0 }), phase({ estimate_ms: 6000 })];
  expect(outlook({ started_ms: 0, phases }, 3000)).toMatchObject({ left_ms: null, share: null });
});

test("a step that takes longer than ever does not count backwards", () => {
  const phases = [phase({ started_ms: 0, estimate_ms: 2000 })];
  const { left_ms, share } = outlook({ started_ms: 0, phases }, 60_000);
  expect(left_ms).toBe(100);
  expect(share).toBe(0.99);
});

test("what is left is said in steps that do not flicker", () => {
  expect([1000, 12_300, 54_000, 61_000, 4_000_000].map(leftText)).toEqual([
    "a few seconds left",
    "about 15 s left",
    "about 55 s left",
    "about 2 min left",
    "about 2 h left",
  ]);
});
