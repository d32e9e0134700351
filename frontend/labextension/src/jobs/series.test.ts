import type { Series } from "@cairn/api/types";
import { expect, test } from "vitest";
import { charted, curve } from "./series";

const points = (...values: [number, unknown][]) =>
  values.map(([x, y]) => [x, y, 0]) as unknown as Series["points"];

test("the least value is at the bottom, the greatest at the top, the last x at the right", () => {
  const made = curve(points([0, 4], [1, 2], [2, 3]), 104, 24);
  expect(made).toMatchObject({ path: "M2 2L52 22L102 12", end: [102, 12], min: 2, max: 4, last: 3, to: 2 });
});

test("a value that is no number breaks the line and nothing else", () => {
  const made = curve(points([0, 1], [1, "NaN"], [2, 2], [3, 1]), 10, 10);
  expect(made?.path.match(/M/g)).toHaveLength(2);
  expect(made?.last).toBe(1);
});

test("points in any order, and a step told twice, make one line", () => {
  const made = curve(points([2, 1], [0, 0], [2, 3]), 10, 10);
  expect(made?.path).toBe("M2 8L8 2");
});

test("one point and a flat line stand in the middle", () => {
  expect(curve(points([5, 7]), 10, 10)?.path).toBe("M5 5");
  expect(curve(points([0, 7], [1, 7]), 10, 10)?.path).toBe("M2 5L8 5");
});

test("nothing to draw is said", () => {
  expect(curve([], 10, 10)).toBeNull();
  expect(curve(points([0, "text"]), 10, 10)).toBeNull();
});

test("related keys stand together, counters are left out", () => {
  const series = ["val_loss", "step", "accuracy", "train_loss"].map(key => ({
    key,
    points: points([0, 1]),
    total: 1,
  }));
  expect(charted(series, 9).map(each => each.key)).toEqual(["accuracy", "train_loss", "val_loss"]);
});
