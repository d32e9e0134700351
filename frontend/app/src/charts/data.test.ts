import { expect, test } from "vitest";
import { chartKeys, draw, parseZoom, smoothed, zoomed } from "./data";

const series = {
  key: "loss",
  total: 4,
  points: [
    [1, 4, 2000],
    [0, 2, 1000],
    [1, 6, 3000],
    [2, "NaN", 4000],
  ] as [number, number | string, number][],
};

test("points are in order and the last value of a step counts", () => {
  const { xs, raw } = draw(series, "step", 0, 0, false);
  expect(xs).toEqual([0, 1, 2]);
  expect(raw).toEqual([2, 6, null]);
});

test("time is in seconds, relative time since the start", () => {
  expect(draw(series, "time", 0, 0, false).xs).toEqual([1, 2, 3, 4]);
  expect(draw(series, "relative", 1000, 0, false).xs).toEqual([0, 1, 2, 3]);
});

test("a log scale has no place for zero and below", () => {
  const zero = {
    ...series,
    points: [
      [0, 0, 0],
      [1, 1, 0],
    ] as [number, number, number][],
  };
  expect(draw(zero, "step", 0, 0, true).raw).toEqual([null, 1]);
});

test("smoothing starts at the first value and leaves gaps alone", () => {
  expect(smoothed([2, null, 4], 0.5)).toEqual([2, null, (2 * 0.25 + 4 * 0.5) / 0.75]);
  const values = [1, 2];
  expect(smoothed(values, 0)).toBe(values);
});

test("keys that belong together stand together; steps are no chart", () => {
  expect(chartKeys({ step: 1, val_loss: 1, accuracy: 1, loss: 1, note: "x" })).toEqual([
    "accuracy",
    "loss",
    "val_loss",
  ]);
});

test("a zoom is two rising numbers or none", () => {
  expect(parseZoom("1,5")).toEqual([1, 5]);
  for (const bad of [null, "", "5,1", "1", "a,b"]) expect(parseZoom(bad)).toBeNull();
});

test("a zoom is asked for in steps or in milliseconds", () => {
  expect(zoomed(null, "step", 0)).toEqual({});
  expect(zoomed([1, 5], "step", 9000)).toEqual({ from: 1, to: 5, axis: "step" });
  expect(zoomed([1, 5], "relative", 9000)).toEqual({ from: 10_000, to: 14_000, axis: "time" });
  expect(zoomed([1, 5], "time", 9000)).toEqual({ from: 1000, to: 5000, axis: "time" });
});
